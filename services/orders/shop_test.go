package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/web"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fixture is orders with a database of its own and without a broker. Tests put messages into its inbox and read its outbox.
type fixture struct {
	*testing.T
	db     *postgres.DB
	shop   *shop
	inbox  *inbox.Inbox[*work]
	server *httptest.Server
	issuer *identity.Issuer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := testkit.DB(t, outbox.Migrations(), inbox.Migrations(), postgres.Sub(name, migrations, "migrations"))
	f := &fixture{T: t, db: db, shop: newShop(db, testkit.Log(t), testTimeouts)}
	f.inbox = inbox.New(db, testkit.Log(t), f.shop.work, f.shop.handlers()...)
	issuer, err := identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	f.issuer = issuer
	s := web.New(web.Config{Name: name, Log: testkit.Log(t), Ready: f.shop.ready})
	f.shop.routes(s, web.Authenticate(issuer.Verifier(), identity.ScopeOrders), web.Authenticate(issuer.Verifier(), identity.ScopeOperations))
	f.server = httptest.NewServer(s.Echo)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fixture) stock(skus ...string) {
	f.Helper()
	for _, sku := range skus {
		f.receive(messages.ProductChanged{SKU: sku, Version: 1, Name: sku, Price: messages.Money{Amount: 1299, Currency: "EUR"}})
	}
}

// receive delivers messages as the bus would, each under a new id. All must be handled.
func (f *fixture) receive(msgs ...messages.Message) {
	f.Helper()
	for _, m := range msgs {
		if err := f.inbox.Handle(context.Background(), []bus.Delivery{delivery(m)})[0]; err != nil {
			f.Fatalf("%s: %v", m.Kind(), err)
		}
	}
}

func delivery(m messages.Message) bus.Delivery {
	body, _ := json.Marshal(m)
	return bus.Delivery{Attempt: 1, Message: bus.Message{ID: uuid.Must(uuid.NewV7()).String(), Kind: m.Kind(), Body: body}}
}

// overdue lets the deadline of an order pass.
func (f *fixture) overdue(id string) {
	f.Helper()
	if _, err := f.db.Exec(context.Background(), `UPDATE orders SET due_at = now() - interval '1 second' WHERE id = $1 AND due_at IS NOT NULL`, id); err != nil {
		f.Fatal(err)
	}
	f.deadlines()
}

// deadlines lets orders apply the deadlines that have passed.
func (f *fixture) deadlines() {
	f.Helper()
	if _, err := f.shop.meetDeadlines(context.Background()); err != nil {
		f.Fatal(err)
	}
}

// sent returns the kinds of the messages in the outbox about an order, in order: commands, and announcements of its end.
func (f *fixture) sent(about string) string {
	f.Helper()
	rows, err := f.db.Query(context.Background(), `
		SELECT kind
		FROM outbox
		WHERE subject = $1 AND kind NOT IN ('orders.order_status_changed', 'orders.check_progress', 'orders.order_placed')
		ORDER BY id`, about)
	if err != nil {
		f.Fatal(err)
	}
	kinds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var kind string
		err := row.Scan(&kind)
		return short(kind), err
	})
	if err != nil {
		f.Fatal(err)
	}
	return strings.Join(kinds, " ")
}

// answer is an HTTP response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

type option func(*http.Request)

func header(name, value string) option { return func(r *http.Request) { r.Header.Set(name, value) } }

func (f *fixture) as(who string) option {
	scopes := []string{identity.ScopeOrders}
	if who == "olga" {
		scopes = append(scopes, identity.ScopeOperations)
	}
	token, err := f.issuer.Token(who, scopes, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	return header("Authorization", "Bearer "+token)
}

func (f *fixture) call(method, path, body string, options ...option) answer {
	f.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, f.server.URL+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(r)
	}
	response, err := direct.Client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	got, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, got}
}

const goodOrder = `{"lines":[{"sku":"MUG-BLUE","quantity":2}],"payment_method":"tok_visa",` +
	`"shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"}}`

// place places an order of alice's and returns its id.
func (f *fixture) place() string {
	f.Helper()
	a := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", uuid.NewString()))
	if a.status != http.StatusAccepted {
		f.Fatalf("place: %d %s", a.status, a.body)
	}
	var o orderBody
	a.into(f.T, &o)
	return o.ID
}

func (f *fixture) status(id string) status {
	f.Helper()
	o, err := readOrder(context.Background(), f.db, id)
	if err != nil {
		f.Fatal(err)
	}
	return o.Status
}

// The whole life of an order. The messages arrive out of order, each twice under its own id, and again under a new id.
func TestAnOrdersLifeByMessages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	at := time.Now().UTC().Truncate(time.Second)
	for _, m := range []messages.Message{
		messages.StockReserved{OrderID: id},
		messages.PaymentTaken{OrderID: id, Amount: messages.Money{Amount: 2598, Currency: "EUR"}},
		messages.ShipmentInTransit{ShipmentChange: messages.ShipmentChange{OrderID: id, At: at.Add(2 * time.Second)}}, // overtakes the events before it
		messages.ShipmentArranged{ShipmentChange: messages.ShipmentChange{OrderID: id, Carrier: "Swift", TrackingNumber: "S1", At: at}},
		messages.ShipmentDispatched{ShipmentChange: messages.ShipmentChange{OrderID: id, Carrier: "Swift", TrackingNumber: "S1", At: at.Add(time.Second)}},
		messages.ShipmentDelivered{ShipmentChange: messages.ShipmentChange{OrderID: id, At: at.Add(3 * time.Second)}},
	} {
		d := delivery(m)
		for _, err := range f.inbox.Handle(t.Context(), []bus.Delivery{d, delivery(m), d}) {
			if err != nil {
				t.Fatalf("%s: %v", m.Kind(), err)
			}
		}
	}
	if s := f.status(id); s != delivered {
		t.Fatalf("status %s", s)
	}
	if got, want := f.sent(id), "reserve_stock take_payment arrange_shipment order_completed"; got != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
	a := f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as("alice"))
	var tr tracking
	a.into(t, &tr)
	var stages []string
	for _, s := range tr.Shipment.Stages {
		stages = append(stages, s.Stage)
	}
	if !slices.Equal(stages, []string{"arranged", "dispatched", "in_transit", "delivered"}) {
		t.Errorf("stages %v: in the order of time, whatever the order of arrival", stages)
	}
	if tr.Payment.Status != "taken" || tr.Payment.Amount.Amount != 2598 || tr.Shipment.TrackingNumber != "S1" {
		t.Errorf("tracking %s", a.body)
	}
	for i, e := range tr.Timeline {
		if e.Seq != i+1 {
			t.Errorf("timeline %s", a.body)
		}
	}
}

// Shipping reports stages that it learns together in one event, and orders announces their results in one event too.
func TestOneEventAboutAllStages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	at := time.Now().UTC().Truncate(time.Second)
	f.receive(messages.StockReserved{OrderID: id}, messages.PaymentTaken{OrderID: id})
	whole := messages.ShipmentDelivered{ShipmentChange: messages.ShipmentChange{
		OrderID: id, Carrier: "Swift", TrackingNumber: "S1", At: at.Add(3 * time.Second),
		Earlier: []messages.ShipmentStage{{Stage: "arranged", At: at}, {Stage: "dispatched", At: at.Add(time.Second)}, {Stage: "in_transit", At: at.Add(2 * time.Second)}},
	}}
	f.receive(whole, whole)
	o, err := readOrder(t.Context(), f.db, id)
	if err != nil {
		t.Fatal(err)
	}
	want := shipment{Carrier: "Swift", TrackingNumber: "S1", Stages: []stage{{"arranged", at}, {"dispatched", at.Add(time.Second)}, {"in_transit", at.Add(2 * time.Second)}, {"delivered", at.Add(3 * time.Second)}}}
	if diff := cmp.Diff(want, o.Shipment); diff != "" || o.Status != delivered {
		t.Errorf("%s: %s", o.Status, diff)
	}
	var told []string
	rows, err := f.db.Query(t.Context(), `
		SELECT jsonb_path_query(body::jsonb, '$.earlier[*].what') #>> '{}'
		FROM outbox
		WHERE subject = $1 AND kind = 'orders.order_completed'`, id)
	if err == nil {
		told, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if want := []string{"shipment arranged with the carrier", "dispatched", "in transit"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("told %q, %v, want %q", told, err, want)
	}
	if got := f.sent(id); got != "reserve_stock take_payment arrange_shipment order_completed" {
		t.Errorf("sent %s", got)
	}
}

func TestADeadlineRepeatsTheCommandAndThenCompensates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	f.deadlines() // none has passed
	f.overdue(id)
	f.overdue(id)
	if s := f.status(id); s != placed {
		t.Fatalf("status %s after two deadlines", s)
	}
	f.overdue(id)
	f.deadlines() // the deadline of the previous state is void
	if got, want := f.sent(id), "reserve_stock reserve_stock reserve_stock release_stock"; got != want || f.status(id) != releasing {
		t.Errorf("%s, sent %s, want %s", f.status(id), got, want)
	}
	for range 3 {
		f.overdue(id)
	}
	var list struct {
		Items []struct {
			OrderID  string `json:"order_id"`
			WaitsFor string `json:"waits_for"`
		}
	}
	f.call(http.MethodGet, "/api/operations/attention", "", f.as("olga")).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].OrderID != id || list.Items[0].WaitsFor != "inventory.release_stock" {
		t.Errorf("attention %+v", list)
	}
	f.receive(messages.StockReleased{OrderID: id})
	f.call(http.MethodGet, "/api/operations/attention", "", f.as("olga")).into(t, &list)
	if f.status(id) != cancelled || len(list.Items) != 0 {
		t.Errorf("%s, attention %+v: the cause is gone", f.status(id), list)
	}
}

func TestADeadlineOfThePreviousReleaseIsMetOnceAndVoidWhenTheOrderHasMovedOn(t *testing.T) {
	t.Parallel()
	for what, left := range map[string]string{
		"of an order of that release":                              `due_at = NULL`,
		"of one that this release has moved before, and then that": `due_at = now() + interval '3 days', passed = 0`,
	} {
		f := newFixture(t)
		f.stock("MUG-BLUE")
		id := f.place()
		if _, err := f.db.Exec(t.Context(), `UPDATE orders SET step = 7, `+left+` WHERE id = $1`, id); err != nil {
			t.Fatal(err)
		}
		f.receive(messages.CheckProgress{OrderID: id, Step: 6, Attempt: 1}, messages.CheckProgress{OrderID: uuid.NewString(), Step: 7})
		if got, want := f.sent(id), "reserve_stock"; got != want {
			t.Errorf("%s, of a state before: sent %s, want %s", what, got, want)
		}
		f.receive(messages.CheckProgress{OrderID: id, Step: 7, Attempt: 1})
		o, err := readOrder(t.Context(), f.db, id)
		if err != nil {
			t.Fatal(err)
		}
		soon := o.DueAt != nil && o.DueAt.Before(time.Now().Add(time.Hour))
		if got, want := f.sent(id), "reserve_stock reserve_stock"; got != want || !soon || o.Passed != 2 || o.Status != placed {
			t.Errorf("%s: sent %s, want %s; due at %v after %d, %s", what, got, want, o.DueAt, o.Passed, o.Status)
		}
		f.receive(messages.CheckProgress{OrderID: id, Step: 7, Attempt: 2})
		if f.status(id) != releasing {
			t.Errorf("%s: %s after its last deadline", what, f.status(id))
		}
	}
}

func TestTheCatalogueKeepsTheLatestVersionWhateverTheOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	price := func(version, amount int64) messages.Message {
		return messages.ProductChanged{SKU: "A", Version: version, Name: "a", Price: messages.Money{Amount: amount, Currency: "EUR"}}
	}
	f.receive(price(2, 200), price(1, 100), price(3, 300), price(2, 200))
	w := f.shop.work()
	w.products.Name("A")
	if err := f.db.Tx(t.Context(), func(tx *postgres.Tx) error { return w.Load(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
	if a, _ := w.products.Get("A"); a.Price.Amount != 300 || !w.stocked {
		t.Errorf("%+v", a)
	}
}

func TestAMessageAboutAnUnknownOrderIsAcknowledged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receive(messages.StockReserved{OrderID: uuid.NewString()})
	err := f.inbox.Handle(t.Context(), []bus.Delivery{delivery(messages.StockReserved{OrderID: "not-a-uuid"})})[0]
	if !bus.Rejected(err) {
		t.Errorf("about something that can be no order: %v, want a rejection", err)
	}
}
