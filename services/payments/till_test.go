package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/web"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "20000") // they cost microseconds; the command line has the last word
	testkit.Main(m)
}

const certainAfter = 30 * time.Second

// fixture is payments on a database of its own, without a broker: messages are handed to its inbox and read from its outbox.
type fixture struct {
	*testing.T
	db     *postgres.DB
	till   *till
	inbox  *inbox.Inbox
	server *httptest.Server
	issuer *identity.Issuer
}

func newFixture(t *testing.T, p provider) *fixture {
	t.Helper()
	db := testkit.DB(t, outbox.Migrations(), inbox.Migrations(), postgres.Sub(name, migrations, "migrations"))
	f := &fixture{T: t, db: db, till: newTill(db, testkit.Log(t), p, certainAfter)}
	f.inbox = inbox.New(db, testkit.Log(t), f.till.handlers()...)
	issuer, err := identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	f.issuer = issuer
	s := web.New(web.Config{Name: name, Log: testkit.Log(t), Ready: db.Ping})
	f.till.routes(s.Echo, web.Authenticate(issuer.Verifier(), identity.ScopeOperations))
	f.server = httptest.NewServer(s.Echo)
	t.Cleanup(f.server.Close)
	return f
}

// receive hands messages over as the bus would, each under a new id, and wants them handled.
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

// sent returns what is in the outbox about an order, in order.
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

// want checks where a payment stands and what has been said about it.
func (f *fixture) want(order string, s status, said string) {
	f.Helper()
	if p := f.payment(order); p.Status != s || f.sent(order) != said {
		f.Errorf("%s and %q, want %s and %q; trouble %q", p.Status, f.sent(order), s, said, p.Trouble)
	}
}

// work sees to all that is due, as a worker does, but one after the other.
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
			if err := f.till.see(context.Background(), c); err != nil {
				f.Logf("see to %s: %v", c.OrderID, err)
			}
		}
	}
}

func TestAPaymentsLifeByMessages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := uuid.NewString()
	for _, row := range []struct {
		m    messages.Message
		to   status
		said string // one message twice under one id, and once under another
	}{
		{take(order, "tok_visa"), taken, "taken 2598"},
		{take(order, "tok_visa"), taken, "taken 2598, taken 2598, taken 2598"},
		{refund(order), refunded, "taken 2598, taken 2598, taken 2598, refunded 2598"},
		{refund(order), refunded, "taken 2598, taken 2598, taken 2598, refunded 2598, refunded 2598, refunded 2598"},
	} {
		d := delivery(row.m)
		for _, err := range f.inbox.Handle(t.Context(), []bus.Delivery{d, delivery(row.m), d}) {
			if err != nil {
				t.Fatalf("%s: %v", row.m.Kind(), err)
			}
		}
		f.work()
		f.want(order, row.to, row.said)
	}
	if p := f.payment(order); p.ChargeID != "charge-"+order || p.RefundID != "refund-refund-"+order {
		t.Errorf("the provider's ids: %q, %q", p.ChargeID, p.RefundID)
	}
}

func TestADeclinedPaymentStaysDeclined(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_declined")
	f.work()
	f.want(order, declined, "declined card_declined")
	f.receive(take(order, "tok_declined"), refund(order))
	f.work()
	f.want(order, declined, "declined card_declined, declined card_declined, refunded 0")
}

func TestARefundThatOvertakesItsPaymentPreventsIt(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := uuid.NewString()
	f.receive(refund(order))
	f.want(order, withdrawn, "refunded 0")
	f.receive(take(order, "tok_visa"))
	f.work()
	f.want(order, withdrawn, "refunded 0, refunded 0")
	if p := f.payment(order); p.Amount != amount || l.posts(order) != 0 {
		t.Errorf("it is about %v, the provider was asked %d times", p.Amount, l.posts(order))
	}
}

// Whatever the order of arrival, and whether the worker comes before, between or after: nothing is charged in the end.
func TestAPaymentAndItsRefundInAnyOrderEndTheSame(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	for mask := range 1 << 4 {
		order := uuid.NewString()
		msgs := []messages.Message{take(order, "tok_visa"), refund(order)}
		if mask&1 != 0 {
			slices.Reverse(msgs)
		}
		for i, m := range append(msgs, take(order, "tok_visa")) {
			f.receive(m)
			if mask&(2<<i) != 0 {
				f.work()
			}
		}
		f.work()
		if p := f.payment(order); l.balance(order) != 0 || p.DueAt != nil || p.Amount != amount {
			t.Errorf("%04b: %s, balance %d", mask, p.Status, l.balance(order))
		}
	}
}

func TestACommandThatContradictsOrIsAboutNoOrderIsRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_visa")
	f.work()
	dearer := take(order, "tok_visa")
	dearer.Amount.Amount++
	for _, m := range []messages.Message{dearer, take("no-uuid", "tok_visa"), refund("no-uuid"), messages.TakePayment{OrderID: uuid.NewString()}} {
		errs := f.inbox.Handle(t.Context(), []bus.Delivery{delivery(m), delivery(take(order, "tok_visa"))})
		if !bus.Rejected(errs[0]) || errs[1] != nil {
			t.Errorf("%+v: %v", m, errs)
		}
	}
	f.want(order, taken, "taken 2598, taken 2598, taken 2598, taken 2598, taken 2598")
}

func TestCommandsOfOneOrderAtTheSameTimeMakeOnePayment(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := uuid.NewString()
	results := make(chan error, 20)
	for i := range cap(results) { // replicas that get the same order's commands under different ids
		go func() {
			var m messages.Message = take(order, "tok_visa")
			if i%2 == 1 {
				m = refund(order)
			}
			d := delivery(m)
			for range 10 { // the bus hands over again what failed
				if err := f.inbox.Handle(context.Background(), []bus.Delivery{d})[0]; err == nil {
					results <- nil
					return
				}
			}
			results <- fmt.Errorf("%s is never handled", m.Kind())
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	f.work()
	if p := f.payment(order); l.balance(order) != 0 || p.DueAt != nil {
		t.Errorf("%s, balance %d", p.Status, l.balance(order))
	}
}
