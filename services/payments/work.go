package main

import (
	"context"
	"slices"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// work is payments' unit of work: the payments that some commands, answers of the provider or requests are about, as they are by
// now, and what is to be sent.
type work struct {
	*till
	payments unit.Rows[string, payment]
	letters  []outbox.Letter
}

func (t *till) work() *work { return &work{till: t} }

// About names the payment that a command is about.
func (w *work) About(m messages.Message) { w.payments.Name(m.Subject()) }

// Load is of unit.Work.
func (w *work) Load(ctx context.Context, tx *postgres.Tx) error {
	loadPayments(tx, &w.payments)
	return tx.Flush(ctx)
}

// Save is of unit.Work.
func (w *work) Save(_ context.Context, tx *postgres.Tx) error {
	w.lend(tx)
	savePayments(tx, &w.payments)
	return w.outbox.Send(tx, w.letters...)
}

// of returns the payment of an order: the zero payment of that order when nothing is known of it yet.
func (w *work) of(orderID string) payment {
	p, known := w.payments.Get(orderID)
	if !known {
		p = payment{OrderID: orderID}
	}
	return p
}

// put has an outcome saved. What it sends is of the given origin.
func (w *work) put(origin outbox.Origin, out outcome) {
	if p, known := w.payments.Get(out.payment.OrderID); !known || p != out.payment {
		w.payments.Put(out.payment.OrderID, out.payment)
	}
	w.letters = append(w.letters, outbox.Letters(origin, out.send...)...)
}

// lend has payments that the provider should be asked about be born leased to this replica's worker, as far as it has free
// slots: it begins with them as soon as they are committed, and need not look for them.
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
