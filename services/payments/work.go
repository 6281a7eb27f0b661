package main

import (
	"context"
	"reflect"
	"slices"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// work is payments' unit of work: the current state of the payments that some commands, answers of the provider or requests are
// about, and what will be sent.
type work struct {
	*till
	payments unit.Rows[string, payment]
	letters  []outbox.Letter
}

func (t *till) work() *work { return &work{till: t} }

// About names the payment that a command is about.
func (w *work) About(m messages.Message) { w.payments.Name(m.Subject()) }

// Load implements unit.Work.
func (w *work) Load(ctx context.Context, tx *postgres.Tx) error {
	loadPayments(tx, &w.payments)
	return tx.Flush(ctx)
}

// Save implements unit.Work.
func (w *work) Save(_ context.Context, tx *postgres.Tx) error {
	w.lend(tx)
	savePayments(tx, &w.payments)
	return w.outbox.Send(tx, w.letters...)
}

// of returns the payment of an order; a new payment in the empty status if there is none yet.
func (w *work) of(orderID string) payment {
	p, known := w.payments.Get(orderID)
	if !known {
		p = payment{OrderID: orderID}
	}
	return p
}

// put saves an outcome. origin is the cause of what it sends.
func (w *work) put(origin outbox.Origin, out outcome) {
	if p, known := w.payments.Get(out.payment.OrderID); !known || !reflect.DeepEqual(p, out.payment) {
		w.payments.Put(out.payment.OrderID, out.payment)
	}
	w.letters = append(w.letters, outbox.Letters(origin, out.send...)...)
}

// lend leases payments that are due to this replica's own worker when they are written, as far as it has free slots. The worker
// starts with them at the commit and does not have to look for them.
func (w *work) lend(tx *postgres.Tx) {
	now := w.now()
	due := slices.Concat(w.payments.Changes())
	due = slices.DeleteFunc(due, func(p payment) bool { return p.DueAt == nil || p.DueAt.After(now) })
	w.worker.Lend(tx, len(due), func(i int) claim {
		c := due[i].leased(now)
		w.payments.Put(c.OrderID, c.payment)
		return c
	})
}
