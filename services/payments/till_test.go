package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
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

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "20000") // they take microseconds each; a flag on the command line overrides this
	testkit.Main(m)
}

const inDoubtFor = 30 * time.Second

var testSettings = providerSettings{Slots: 8, InDoubtFor: inDoubtFor}

// fixture is payments with a database of its own and without a broker. Tests put messages into its inbox and read its outbox.
type fixture struct {
	*testing.T
	db     *postgres.DB
	till   *till
	inbox  *inbox.Inbox[*work]
	server *httptest.Server
	issuer *identity.Issuer
}

func newFixture(t *testing.T, p provider) *fixture {
	t.Helper()
	db := testkit.DB(t, outbox.Migrations(), inbox.Migrations(), postgres.Sub(name, migrations, "migrations"))
	f := &fixture{T: t, db: db, till: newTill(db, testkit.Log(t), p, testSettings)}
	f.inbox = inbox.New(db, testkit.Log(t), f.till.work, f.till.handlers()...)
	issuer, err := identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	f.issuer = issuer
	s := web.New(web.Config{Name: name, Log: testkit.Log(t), Ready: db.Ping})
	f.till.routes(s, web.Authenticate(issuer.Verifier(), identity.ScopeOperations))
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

func take(order, method string) messages.TakePayment {
	return messages.TakePayment{OrderID: order, Amount: amount, Method: method}
}

func refund(order string) messages.RefundPayment { return messages.RefundPayment{OrderID: order} }

// ordered makes an order whose payment has been asked for, and returns its id.
func (f *fixture) ordered(method string) string {
	f.Helper()
	order := uuid.Must(uuid.NewV7()).String()
	f.receive(take(order, method))
	return order
}

// sent returns the messages in the outbox about an order, in order.
func (f *fixture) sent(order string) string {
	f.Helper()
	rows, err := f.db.Query(context.Background(), `
		SELECT kind, body
		FROM outbox
		WHERE subject = $1
		ORDER BY id`, order)
	if err != nil {
		f.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (messages.Message, error) {
		var kind string
		var body []byte
		if err := row.Scan(&kind, &body); err != nil {
			return nil, err
		}
		switch kind {
		case messages.PaymentTaken{}.Kind():
			return as[messages.PaymentTaken](body)
		case messages.PaymentDeclined{}.Kind():
			return as[messages.PaymentDeclined](body)
		case messages.PaymentRefunded{}.Kind():
			return as[messages.PaymentRefunded](body)
		}
		return nil, fmt.Errorf("a %s was sent", kind)
	})
	if err != nil {
		f.Fatal(err)
	}
	return said(all)
}

func as[M messages.Message](body []byte) (m messages.Message, err error) {
	var v M
	err = json.Unmarshal(body, &v)
	return v, err
}

func (f *fixture) payment(order string) payment {
	f.Helper()
	p, err := readPayment(context.Background(), f.db, order)
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// want checks the status of a payment and the events about it.
func (f *fixture) want(order string, s status, said string) {
	f.Helper()
	if p := f.payment(order); p.Status != s || f.sent(order) != said {
		f.Errorf("%s and %q, want %s and %q; last error %q", p.Status, f.sent(order), s, said, p.LastError)
	}
}

// work processes all payments that are due as a worker does, but one at a time.
func (f *fixture) work() {
	f.Helper()
	for {
		claims, err := claimPayments(context.Background(), f.db, 10, f.till.now(), lease)
		if err != nil {
			f.Fatal(err)
		}
		if len(claims) == 0 {
			return
		}
		for _, c := range claims {
			if err := f.till.process(context.Background(), c); err != nil {
				f.Logf("see to %s: %v", c.OrderID, err)
			}
		}
	}
}
