// Package payments is the service with a table in memory, its workers, and the payment provider.
package payments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderflow/e2e/interleavings"
	"example.com/orderflow/e2e/interleavings/testdata/standin/inbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/outbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/postgres"
	"example.com/orderflow/e2e/interleavings/testdata/standin/unit"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/worker"
)

// price is the price of the order.
const price = 500

// World is the payment of one order.
type World struct {
	interleavings.Outbox
	Row     payment // without a status: there is none
	Workers []*hand
	Charges map[string]operation // the provider's ledger, by key
	Refunds map[string]operation
	Calm    bool   // every worker survives and every call is answered
	Happy   bool   // the card is good
	Late    string // the key of a charge that is on its way to the provider, but whose caller has given up; empty: none
}

// hand is a worker with a lease. It is never frozen: it has ended when its lease ends. property_test.go of payments tests
// frozen workers.
type hand struct {
	Claim     claim
	Asked     bool
	Operation operation
	Failed    bool
	NoEffect  bool
}

// New returns the payment of an order before the first message about it.
func New(calm, happy bool) *World {
	return &World{Calm: calm, Happy: happy, Charges: map[string]operation{}, Refunds: map[string]operation{}}
}

// till is the part of the real one that the handlers and workers need.
type till struct {
	outbox     *outbox.Outbox
	office     *unit.Office[*work]
	worker     *worker.Worker[claim] // it does not run: claiming a row is an action of its own
	provider   provider
	inDoubtFor time.Duration
	now        func() time.Time
}

func (t *till) ignored(context.Context, messages.Message, status) {}

func (w *World) till(f fate) *till {
	t := &till{worker: &worker.Worker[claim]{}, provider: &fickle{w, f}, inDoubtFor: f.inDoubtFor(), now: func() time.Time { return interleavings.Now }}
	t.office = &unit.Office[*work]{World: w, Open: t.work}
	return t
}

func (w *World) Handles() []string { return inbox.Kinds((&till{}).handlers()) }

func (w *World) Receive(m messages.Message) error {
	t := w.till(fate{})
	return inbox.Handle(t.handlers(), t.office, m)
}

// Actions are those of the workers and of the outside world.
func (w *World) Actions() (actions []interleavings.Action) {
	can := func(do func() (string, error)) { actions = append(actions, interleavings.Action{Do: do}) }
	if w.due() {
		can(w.claim)
	}
	for i, h := range w.Workers {
		if h.Asked {
			can(func() (string, error) { return "a worker records it", w.record(i) })
		} else {
			for _, f := range fates() {
				if (!f.clear || w.clear()) && (!w.Calm || f.calm()) && !(w.Happy && f.verdict == operationDeclined) {
					can(func() (string, error) { return w.ask(i, f), nil })
				}
			}
		}
		if !w.Calm {
			can(func() (string, error) { w.drop(i); return "a worker dies", nil })
		}
	}
	if c := w.Charges[w.Row.OrderID]; !w.Calm && c.left() == price {
		byHand := func(part int64) {
			can(func() (string, error) {
				_, err := w.giveBack(c.Key, "by hand", part)
				return fmt.Sprintf("a person gives back %d of %d at the provider", part, price), err
			})
		}
		switch {
		case w.Row.Status == refunding:
			byHand(price)
			byHand(price / 2)
		case w.Row.Status == requested && len(w.Workers) == 0: // after payments knows of the charge, it would be a gift
			byHand(price)
		}
	}
	if w.Late != "" {
		for _, verdict := range verdicts {
			can(func() (string, error) {
				w.charge(w.Late, verdict)
				w.Late = ""
				return "a late request reaches the provider: " + verdict, nil
			})
		}
		can(func() (string, error) { w.Late = ""; return "a late request is lost for good", nil })
	}
	return actions
}

// due replaces the claim's condition due_at <= now: enough time has passed whenever no worker has a lease.
func (w *World) due() bool {
	return w.Row.DueAt != nil && !slices.ContainsFunc(w.Workers, func(h *hand) bool { return h.Claim.DueAt.Equal(*w.Row.DueAt) })
}

// claim replaces claimPayments, and the lease of a payment that is inserted leased.
func (w *World) claim() (string, error) {
	c := w.Row.leased(interleavings.Now)
	w.Row = c.payment
	w.Workers = append(w.Workers, &hand{Claim: c})
	return "a worker claims it", nil
}

func (w *World) ask(i int, f fate) string {
	h := w.Workers[i]
	t := w.till(f)
	op, err := t.ask(context.Background(), h.Claim)
	h.Asked, h.Operation, h.Failed, h.NoEffect = true, op, err != nil, errors.Is(err, errNoEffect)
	if err != nil {
		return "a worker asks the provider: " + err.Error()
	}
	return "a worker asks the provider: " + string(h.Claim.Status) + ", it has " + op.Status
}

func (w *World) record(i int) error {
	h := w.Workers[i]
	var failure error
	if h.Failed {
		failure = errNoAnswer
		if h.NoEffect {
			failure = errNoEffect
		}
	}
	w.drop(i)
	return w.till(fate{}).record(context.Background(), h.Claim, h.Operation, failure)
}

func (w *World) drop(i int) { w.Workers = slices.Delete(w.Workers, i, i+1) }

// clear reports whether enough time may have passed since the last request to charge: the request has arrived or never will,
// and the worker that sent it has ended.
func (w *World) clear() bool {
	return w.Late == "" && !slices.ContainsFunc(w.Workers, func(h *hand) bool { return h.Claim.Status == requested })
}

func (w *World) Tell(_ string, f *interleavings.Facts) {
	for _, op := range w.Charges {
		if op.Status == operationSucceeded {
			f.Charged++
		}
		if op.Refunded > 0 && op.left() == 0 {
			f.Refunded++
		}
	}
	f.Busy = w.Row.DueAt != nil
	if net := f.Charged - f.Refunded; w.Row.Status.settled() && (net == 1) != (w.Row.Status == taken) {
		f.Wrong = fmt.Sprintf("payments and the provider's ledger agree: %s, and the ledger says %d", w.Row.Status, net)
	}
}

func (w *World) Void(messages.Message) bool { return false }

func (w *World) Tidy() {
	var asked, due interleavings.Ranks
	rows := []*payment{&w.Row}
	for _, h := range w.Workers {
		rows = append(rows, &h.Claim.payment)
	}
	var attempts []int
	for _, p := range rows {
		attempts = append(attempts, p.Attempts)
	}
	slices.Sort(attempts)
	attempts = slices.Compact(attempts)
	for _, p := range rows {
		p.AskedAt, p.DueAt = asked.Of(p.AskedAt), due.Of(p.DueAt)
		p.Attempts = slices.Index(attempts, p.Attempts) // only whether they are equal matters
		p.CreatedAt, p.UpdatedAt, p.LastError = time.Time{}, time.Time{}, ""
	}
	for _, h := range w.Workers {
		h.Claim.Before = asked.Of(h.Claim.Before)
	}
}

// The rest replaces store.go.

func loadPayments(tx *postgres.Tx, payments *unit.Rows[string, payment]) {
	if w := tx.World.(*World); w.Row.Status != "" {
		payments.Loaded(w.Row.OrderID, w.Row)
	}
}

func savePayments(tx *postgres.Tx, payments *unit.Rows[string, payment]) {
	for _, p := range slices.Concat(payments.Changes()) {
		if err := tx.World.(*World).keep(p); err != nil {
			tx.Fail(err)
		}
	}
}

// keep refuses rows that the table's CHECKs refuse.
func (w *World) keep(p payment) error {
	switch {
	case p.Amount.Amount <= 0 && p.Status != withdrawn,
		(p.DueAt == nil) != p.Status.settled(),
		p.Status == withdrawing && p.AskedAt == nil:
		return fmt.Errorf("the table refuses %+v", p)
	}
	w.Row = p
	return nil
}
