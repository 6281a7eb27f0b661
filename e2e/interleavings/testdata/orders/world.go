// Package orders is orders with a table in memory, and its customer.
package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderflow/e2e/interleavings"
	"example.com/orderflow/e2e/interleavings/testdata/standin/inbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/pgx"
	"example.com/orderflow/pkg/messages"
)

// World is one order.
type World struct {
	interleavings.Outbox
	Order order // without a status until it is placed
	Whole bool  // states are told apart by what only tracking shows, too
}

// New returns an order that is not placed yet.
func New(id string, mayWait, whole bool) *World {
	price := messages.Money{Amount: 500, Currency: "EUR"}
	return &World{Whole: whole, Order: order{
		ID: id, CustomerID: "alice", Lines: []line{{SKU: "MUG", Quantity: 1, UnitPrice: price}}, Total: price,
		PaymentMethod: "card", AllowBackorder: mayWait,
	}}
}

// patient is two deadlines in a status. What comes after is the same however many they are.
var patient = patience{Step: time.Second, Backorder: time.Second, Dispatch: time.Second, Delivery: time.Second, Longest: time.Second, Tries: 1}

// shop is what the handlers need of the real one.
type shop struct {
	patience patience
	now      func() time.Time
}

func (s *shop) late(context.Context, messages.Message, status) {}

func newShop() *shop { return &shop{patient, func() time.Time { return interleavings.Now }} }

func (w *World) Hears() []string { return inbox.Kinds(newShop().handlers()) }

func (w *World) Receive(m messages.Message) error {
	before := w.Order
	err := inbox.Handle(newShop().handlers(), w, m)
	if c, ok := m.(messages.CheckProgress); ok && c.Step != before.Step && w.Order.Status != before.Status {
		return errors.New("a deadline of an earlier step is void")
	}
	return err
}

// Moves are the customer's: see postOrder and postCancellation.
func (w *World) Moves() []interleavings.Move {
	if w.Order.Status == "" {
		return []interleavings.Move{{Do: func() (string, error) {
			return "takes the order of a customer", updateOrder(nil, w, w.Order.place(interleavings.Now, patient))
		}}}
	}
	t, ok := w.Order.cancel(hand{}, interleavings.Now, patient)
	if !ok {
		return nil
	}
	return []interleavings.Move{{Help: true, Do: func() (string, error) {
		return "takes the customer's cancellation", updateOrder(nil, w, t)
	}}}
}

func (w *World) Tell(_ string, f *interleavings.Facts) {
	f.Status, f.Reason = string(w.Order.Status), string(w.Order.Reason)
	f.Busy = w.Order.Status != "" && !w.Order.Status.final()
}

// Void is what a final order hears, and a deadline of an earlier step, if the order ignores it now: steps only rise.
func (w *World) Void(m messages.Message) bool {
	if c, ok := m.(messages.CheckProgress); ok {
		_, moved := w.Order.check(c, interleavings.Now, patient)
		return !moved && (c.Step < w.Order.Step || w.Order.Status.final())
	}
	_, moved := w.Order.hear(m, interleavings.Now, patient)
	return !moved && w.Order.Status.final()
}

func (w *World) Tidy() {
	o := &w.Order
	o.CreatedAt, o.UpdatedAt, o.Seq = time.Time{}, time.Time{}, 0
	if w.Whole {
		return
	}
	o.Payment = payment{}
	if o.Status != paid && o.Status != shipped && o.Status != withdrawing { // where hear asks which stages are known
		o.Shipment = shipment{}
	}
}

// What follows stands for store.go.

var errNoOrder = errors.New("no order")

func lockOrder(_ context.Context, tx pgx.Tx, _ string) (order, error) {
	o := tx.(*World).Order
	if o.Status == "" {
		return o, errNoOrder
	}
	return o, nil
}

func updateOrder(_ context.Context, tx pgx.Tx, t turn) error {
	w := tx.(*World)
	if from, to := w.Order.Status, t.order.Status; from != to && !slices.Contains(path[from], to) {
		return fmt.Errorf("the timeline is a path that an order may take: not from %q to %q", from, to)
	}
	if t.entry != nil && (t.entry.Seq != w.Order.Seq+1 || t.entry.Status != t.order.Status) {
		return fmt.Errorf("the timeline has no gaps: after %d comes %d", w.Order.Seq, t.entry.Seq)
	}
	w.Order = t.order
	w.Send(t.send...)
	if c := t.check; c != nil {
		c.Attempt = min(c.Attempt, patient.Tries) // from there on nothing depends on it
		w.Send(*c)
	}
	return nil
}

func keepProduct(context.Context, pgx.Tx, messages.ProductChanged) error { return nil }

// path is what may follow what, whatever saga.go says.
var path = map[status][]status{
	"":            {"placed"},
	"placed":      {"reserved", "backordered", "releasing", "cancelled"},
	"backordered": {"reserved", "releasing"},
	"reserved":    {"paid", "refunding", "releasing"},
	"paid":        {"shipped", "delivered", "withdrawing", "refunding"},
	"shipped":     {"delivered", "refunding"},
	"withdrawing": {"refunding", "shipped", "delivered"},
	"refunding":   {"releasing"},
	"releasing":   {"cancelled"},
}
