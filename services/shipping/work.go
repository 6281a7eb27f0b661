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

// work is shipping's unit of work: the current state of the shipments that some commands, answers of the carrier or requests
// are about, and what will be sent.
type work struct {
	*dock
	shipments unit.Rows[string, shipment]
	letters   []outbox.Letter
}

func (d *dock) work() *work { return &work{dock: d} }

// About names the shipment that a command is about.
func (w *work) About(m messages.Message) { w.shipments.Name(m.Subject()) }

// Load implements unit.Work.
func (w *work) Load(ctx context.Context, tx *postgres.Tx) error {
	loadShipments(tx, &w.shipments)
	return tx.Flush(ctx)
}

// Save implements unit.Work.
func (w *work) Save(_ context.Context, tx *postgres.Tx) error {
	w.lend(tx)
	saveShipments(tx, &w.shipments)
	return w.outbox.Send(tx, w.letters...)
}

// of returns the shipment of an order; a new shipment in the empty status if there is none yet.
func (w *work) of(orderID string) shipment {
	s, known := w.shipments.Get(orderID)
	if !known {
		s = shipment{OrderID: orderID}
	}
	return s
}

// put saves an outcome. origin is the cause of what it sends.
func (w *work) put(origin outbox.Origin, out outcome) {
	if s, known := w.shipments.Get(out.shipment.OrderID); !known || !reflect.DeepEqual(s, out.shipment) {
		w.shipments.Put(out.shipment.OrderID, out.shipment)
	}
	w.letters = append(w.letters, outbox.Letters(origin, out.send...)...)
}

// lend leases shipments that need a call of their own to this replica's own worker when they are written, as far as it has free
// slots. The worker starts with them at the commit and does not have to look for them.
func (w *work) lend(tx *postgres.Tx) {
	now := w.now()
	due := slices.Concat(w.shipments.Changes())
	due = slices.DeleteFunc(due, func(s shipment) bool { return s.DueAt == nil || s.DueAt.After(now) || s.followed() })
	w.worker.Lend(tx, len(due), func(i int) claim {
		c := due[i].leased(now)
		w.shipments.Put(c.OrderID, c.shipment)
		return c
	})
}
