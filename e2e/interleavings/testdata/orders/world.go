// Package orders is the service with a table in memory, and its customer.
package orders

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
)

// World is one order.
type World struct {
	interleavings.Outbox
	Order   order // without a status until it is placed
	Whole   bool  // states also differ by what only tracking shows
	Patient bool  // no deadline passes
}

// New returns an order that is not placed yet.
func New(id string, mayWait, whole, patient bool) *World {
	price := messages.Money{Amount: 500, Currency: "EUR"}
	return &World{Whole: whole, Patient: patient, Order: order{
		ID: id, CustomerID: "alice", Lines: []line{{SKU: "MUG", Quantity: 1, UnitPrice: price}}, Total: price,
		PaymentMethod: "card", AllowBackorder: mayWait,
	}}
}

// waits allows two deadlines in a status. More of them would change nothing.
var waits = timeouts{Step: time.Second, Backorder: time.Second, Dispatch: time.Second, Delivery: time.Second, Longest: time.Second, Tries: 1}

// shop is the part of the real one that the handlers need.
type shop struct {
	outbox   *outbox.Outbox
	timeouts timeouts
	now      func() time.Time
}

func (s *shop) ignored(context.Context, messages.Message, status) {}

func (s *shop) measure([]stay) {}

// origin is empty here.
func (out outcome) origin(ctx context.Context) outbox.Origin { return outbox.OriginOf(ctx) }

func newShop() *shop { return &shop{nil, waits, func() time.Time { return interleavings.Now }} }

func (w *World) office() *unit.Office[*work] {
	return &unit.Office[*work]{World: w, Open: newShop().work}
}

func (w *World) Handles() []string { return inbox.Kinds(newShop().handlers()) }

func (w *World) Receive(m messages.Message) error {
	return inbox.Handle(newShop().handlers(), w.office(), m)
}

// Actions are those of the customer (see postOrder and postCancellation) and the deadlines (see meetDeadlines).
func (w *World) Actions() (actions []interleavings.Action) {
	if w.Order.Status == "" {
		return []interleavings.Action{{Do: func() (string, error) {
			return "takes the order of a customer", w.commit(w.Order.place(interleavings.Now, waits))
		}}}
	}
	if w.Order.DueAt != nil && !w.Patient {
		actions = append(actions, interleavings.Action{Do: func() (string, error) {
			t, ok := w.Order.overdue(*w.Order.DueAt, waits)
			if !ok {
				return "", errors.New("a deadline that has passed does nothing")
			}
			return fmt.Sprintf("meets deadline %d of %s", w.Order.Passed+1, w.Order.Status), w.commit(t)
		}})
	}
	if t, ok := w.Order.cancel(hand{}, interleavings.Now, waits); ok {
		actions = append(actions, interleavings.Action{Help: true, Do: func() (string, error) {
			return "takes the customer's cancellation", w.commit(t)
		}})
	}
	return actions
}

// commit saves the outcome of a request or a deadline.
func (w *World) commit(out outcome) error {
	return w.office().Do(context.Background(), unit.Decision[*work]{
		Name: func(u *work) { u.orders.Name(w.Order.ID) },
		Make: func(u *work) error { u.put(context.Background(), out); return nil },
	})
}

func (w *World) Tell(_ string, f *interleavings.Facts) {
	f.Status, f.Reason = string(w.Order.Status), string(w.Order.Reason)
	f.Busy = w.Order.Status != "" && !w.Order.Status.final()
}

// Void reports whether a final order ignores the event.
func (w *World) Void(m messages.Message) bool {
	_, ok := w.Order.apply(m, interleavings.Now, waits)
	return !ok && w.Order.Status.final()
}

func (w *World) Tidy() {
	o := &w.Order
	o.CreatedAt, o.UpdatedAt, o.Seq = time.Time{}, time.Time{}, 0
	o.Passed = min(o.Passed, waits.Tries) // larger values have no further effect
	var due interleavings.Ranks
	o.DueAt, o.AttentionSince = due.Of(o.DueAt), due.Of(o.AttentionSince)
	if w.Whole {
		return
	}
	o.Payment = payment{}
	if o.Status != paid && o.Status != shipped && o.Status != withdrawing { // in these statuses apply checks which stages are known
		o.Shipment = shipment{}
	}
}

// The rest replaces store.go.

type (
	remembered struct{}
	product    struct{}
)

func loadRemembered(*postgres.Tx, *unit.Rows[string, remembered])   {}
func insertRemembered(*postgres.Tx, *unit.Rows[string, remembered]) {}

func insertLog(*postgres.Tx, []logged)                              {}
func loadProducts(*postgres.Tx, *unit.Rows[string, product], *bool) {}
func keepProducts(*postgres.Tx, map[string]messages.ProductChanged) {}

func loadOrders(tx *postgres.Tx, orders *unit.Rows[string, order]) {
	if o := tx.World.(*World).Order; o.Status != "" && slices.Contains(orders.Named(), o.ID) {
		orders.Loaded(o.ID, o)
	}
}

func saveOrders(tx *postgres.Tx, orders *unit.Rows[string, order]) {
	w := tx.World.(*World)
	for _, o := range slices.Concat(orders.Changes()) {
		if from, to := w.Order.Status, o.Status; from != to && !slices.Contains(path[from], to) {
			tx.Fail(fmt.Errorf("the timeline is a path that an order may take: not from %q to %q", from, to))
		}
		if (o.DueAt == nil) != o.Status.final() {
			tx.Fail(fmt.Errorf("an order waits for a deadline until its end: %q, due at %v", o.Status, o.DueAt))
		}
		w.Order = o
	}
}

// insertTimeline is called after saveOrders.
func insertTimeline(tx *postgres.Tx, entries []dated) {
	o := tx.World.(*World).Order
	for i, e := range entries {
		follows := o.Status // the next status
		if i+1 < len(entries) {
			follows = entries[i+1].Status
		} else if e.Status != follows {
			follows = ""
		}
		if e.Seq != i+1 || len(entries) != o.Seq || e.Status != follows && !slices.Contains(path[e.Status], follows) { // Tidy has set o.Seq to 0
			tx.Fail(fmt.Errorf("the timeline has no gaps: entry %d is %+v", i+1, e))
		}
	}
}

// path has the allowed transitions, independent of saga.go.
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
