package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// fixture is shipping with a database of its own and without a broker. Tests put messages into its inbox and read its outbox.
// Its worker runs when a test says so, and its clock stands still.
type fixture struct {
	*testing.T
	db      *postgres.DB
	carrier *fakeCarrier
	dock    *dock
	inbox   *inbox.Inbox[*work]
	server  *httptest.Server
	issuer  *identity.Issuer

	mu  sync.Mutex
	now time.Time
}

var testSettings = carrierSettings{Slots: 4, InDoubtFor: 30 * time.Second}

var testPace = pace{Every: time.Second, Most: 8 * time.Second}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := testkit.DB(t, outbox.Migrations(), inbox.Migrations(), postgres.Sub(name, migrations, "migrations"))
	f := &fixture{T: t, db: db, carrier: newFakeCarrier(t), now: day}
	f.dock = newDock(db, testkit.Log(t), f.carrier.client(t), testSettings, testPace)
	f.dock.now = func() time.Time {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.now
	}
	f.inbox = inbox.New(db, testkit.Log(t), f.dock.work, f.dock.handlers()...)
	issuer, err := identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	f.issuer = issuer
	s := web.New(web.Config{Name: name, Log: testkit.Log(t), Ready: db.Ping})
	f.dock.routes(s, web.Authenticate(issuer.Verifier(), identity.ScopeOperations))
	f.server = httptest.NewServer(s.Echo)
	t.Cleanup(f.server.Close)
	return f
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

func arrangement(id string) messages.ArrangeShipment {
	return messages.ArrangeShipment{
		OrderID: id, Lines: []messages.Line{{SKU: "MUG-BLUE", Quantity: 2}},
		Address: messages.Address{Name: "Alice", Street: "1 Main St", City: "Berlin", PostalCode: "10115", Country: "DE"},
	}
}

func cancellation(id string) messages.CancelShipment { return messages.CancelShipment{OrderID: id} }

// claim leases the shipments that are due now.
func (f *fixture) claim() []claim {
	f.Helper()
	claims, err := claimShipments(context.Background(), f.db, 100, f.dock.now(), lease)
	if err != nil {
		f.Fatal(err)
	}
	return claims
}

// work advances the clock, processes what is due, and lets the tracker look once. It returns how many shipments that were.
func (f *fixture) work(after time.Duration) int {
	f.Helper()
	f.later(after)
	claims := f.claim()
	for _, c := range claims {
		if err := f.dock.process(context.Background(), c); err != nil {
			f.Log(err)
		}
	}
	return len(claims) + f.look()
}

// later advances the clock.
func (f *fixture) later(after time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(after)
}

// look lets the tracker look once. It returns how many shipments that was about.
func (f *fixture) look() int {
	f.Helper()
	n, err := f.dock.look(context.Background())
	if err != nil {
		f.Log(err)
	}
	return n
}

func (f *fixture) shipment(id string) shipment {
	f.Helper()
	s, err := readShipment(context.Background(), f.db, id)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// sent returns the stages that the events in the outbox report about an order, in order: each stage has a name of its own.
func (f *fixture) sent(id string) string {
	f.Helper()
	rows, err := f.db.Query(context.Background(), `
		SELECT told
		FROM outbox, unnest(
			ARRAY(SELECT 'shipment_' || (jsonb_path_query(body::jsonb, '$.earlier[*].stage') #>> '{}')) || split_part(kind, '.', 2)
		) WITH ORDINALITY AS t (told, nth)
		WHERE subject = $1
		ORDER BY id, nth`, id)
	if err != nil {
		f.Fatal(err)
	}
	kinds, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		f.Fatal(err)
	}
	return strings.Join(kinds, " ")
}

// wants checks the status of an order's shipment and the events about it.
func (f *fixture) wants(id string, s status, events string) {
	f.Helper()
	if got, now := f.sent(id), f.shipment(id); got != events || now.Status != s {
		f.Errorf("%s, tells %q\nwant %s, %q\ntrouble: %s", now.Status, got, s, events, now.LastError)
	}
}

// A whole life by messages: each is delivered twice under its own id and once more under another.
func TestAShipmentsLifeByMessages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	thrice := func(m messages.Message) {
		d := delivery(m)
		for _, err := range f.inbox.Handle(t.Context(), []bus.Delivery{d, delivery(m), d}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	thrice(arrangement(id))
	f.wants(id, requested, "")
	f.work(0)
	f.wants(id, arranged, "shipment_arranged")
	thrice(arrangement(id))
	f.wants(id, arranged, "shipment_arranged shipment_arranged shipment_arranged")

	if _, err := f.db.Exec(t.Context(), `TRUNCATE outbox`); err != nil {
		t.Fatal(err)
	}
	f.carrier.carry(id, dispatched, inTransit)
	f.work(time.Minute)
	f.carrier.carry(id, delivered)
	f.work(time.Minute)
	f.wants(id, delivered, "shipment_dispatched shipment_in_transit shipment_delivered")
	if n := f.work(24 * time.Hour); n > 0 {
		t.Error("a delivered shipment is still seen to")
	}
	f.receive(arrangement(id), cancellation(id))
	f.wants(id, delivered, "shipment_dispatched shipment_in_transit shipment_delivered "+
		"shipment_arranged shipment_dispatched shipment_in_transit shipment_delivered cancellation_refused")
	if calls, ships := f.carrier.received("ship"); ships != 1 {
		t.Errorf("calls: %s", calls)
	}
	var body []byte
	if err := f.db.QueryRow(t.Context(), `SELECT body FROM outbox WHERE kind = 'shipping.shipment_delivered' ORDER BY id DESC LIMIT 1`).Scan(&body); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"order_id":%q,"carrier":"Swift","tracking_number":"S/%s","estimated_delivery":"2026-01-02T04:04:05Z","at":"2026-01-02T03:07:05Z",`+
		`"earlier":[{"stage":"arranged","at":"2026-01-02T03:04:05Z"},{"stage":"dispatched","at":"2026-01-02T03:05:05Z"},{"stage":"in_transit","at":"2026-01-02T03:06:05Z"}]}`, id, id)
	if string(body) != want {
		t.Errorf("%s\nwant %s", body, want)
	}
}

// In any order of the commands, and wherever the worker runs between them, a cancelled shipment is not shipped, and both
// commands are answered.
func TestCommandsInAnyOrderEndTheSame(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, order := range []string{"ac", "ca", "aacc", "acac", "acca", "caac", "caca", "ccaa"} {
		for works := range 1 << len(order) { // bits: after which of the commands
			id := uuid.NewString()
			for i, command := range order {
				if f.receive(map[rune]messages.Message{'a': arrangement(id), 'c': cancellation(id)}[command]); works&(1<<i) != 0 {
					f.work(0)
				}
			}
			f.work(0)
			if s := f.shipment(id); s.Status != cancelled || s.DueAt != nil || !strings.HasSuffix(f.sent(id), "shipment_cancelled") {
				t.Errorf("%s %b: %s, tells %s", order, works, s.Status, f.sent(id))
			}
			if s := f.carrier.status(id); s != "" && s != cancelled {
				t.Errorf("%s %b: the parcel is %s", order, works, s)
			}
		}
	}
}

func TestManyCommandsAtOnceMakeOneShipment(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			d := delivery(arrangement(id))
			if i%2 == 0 {
				d = delivery(cancellation(id))
			}
			for f.inbox.Handle(context.Background(), []bus.Delivery{d})[0] != nil { // repeated, as the bus does
			}
		})
	}
	all.Wait()
	f.work(0)
	if s := f.shipment(id); s.Status != cancelled || f.carrier.status(id) == arranged {
		t.Errorf("%s, the parcel is %q", s.Status, f.carrier.status(id))
	}
	if n := strings.Count(f.sent(id), "shipment_cancelled"); n < 10 {
		t.Errorf("10 cancellations have %d answers", n)
	}
}

func TestAMessageThatCannotBeHandledIsRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	unreadable := arrangement(id)
	unreadable.Address.Name = "A\x00"
	for name, m := range map[string]messages.Message{
		"no order":  cancellation("not-a-uuid"),
		"no lines":  messages.ArrangeShipment{OrderID: id},
		"a NUL":     unreadable,
		"no id":     cancellation(""),
		"no number": messages.ArrangeShipment{OrderID: id, Lines: []messages.Line{{SKU: "A"}}},
	} {
		if err := f.inbox.Handle(t.Context(), []bus.Delivery{delivery(m)})[0]; !bus.Rejected(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if kinds := f.inbox.Commands(); !slices.Equal(kinds, []string{"shipping.arrange_shipment", "shipping.cancel_shipment"}) || f.inbox.Events() != nil {
		t.Errorf("bound to %v and %v", kinds, f.inbox.Events())
	}
}
