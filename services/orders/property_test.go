package main

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit"
)

// world is a model of the other services, as far as orders relies on them. Each model is a few lines. A network joins them; it
// duplicates, reorders and loses messages.
type world struct {
	*life
	t       *rapid.T
	network []messages.Message
	handled []string // kinds that orders has a handler for
	told    bool     // whether the order has needed attention at some time

	stock                        string // "", reserved, backordered, rejected, released, taken
	room                         bool   // whether there is enough stock
	backorder                    bool
	charge                       string // "", requested, taken, declined, refunded, withdrawn
	charges, refunds, stockTaken int
	parcel                       string // "", arranged, dispatched, in_transit, delivered, failed, cancelled
}

// TestWhateverTheNetworkDoesTheOrderEndsAsItShould lets random things happen in random order, and at the end everything that
// can still happen.
func TestWhateverTheNetworkDoesTheOrderEndsAsItShould(t *testing.T) {
	t.Parallel()
	handled := inbox.New(nil, nil, (*shop)(nil).work, (*shop)(nil).handlers()...).Events()
	testkit.Occur(t, func(saw func(string)) {
		rapid.Check(t, func(t *rapid.T) {
			w := live(t, handled)
			w.judge()
			saw(string(cmp.Or(w.order.Reason, reason(w.order.Status))))
			if w.told {
				saw("a person is told")
			}
		})
	}, "delivered", "out_of_stock", "payment_declined", "payment_returned", "undeliverable", "customer_request", "expired", "a person is told")
}

// live plays the life of one order to its end.
func live(t *rapid.T, handled []string) *world {
	w := &world{
		t: t, life: &life{now: time.Unix(0, 0)}, handled: handled,
		room: rapid.Bool().Draw(t, "room"), backorder: rapid.Bool().Draw(t, "backorder"),
	}
	o := order{ID: "o", Total: messages.Money{Amount: 500, Currency: "EUR"}, Lines: []line{{SKU: "A", Quantity: 1}}, AllowBackorder: w.backorder}
	w.put(o.place(w.now, testTimeouts))

	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		w.anything()
	}
	// From here on nothing is lost, and everything that can happen does happen.
	for range 500 {
		if w.order.Status.final() && len(w.network) == 0 {
			break
		}
		switch {
		case len(w.network) > 0:
			w.deliver(0, false)
		case w.outside():
		case w.stock == "backordered":
			w.restock()
		default:
			w.deadline()
		}
	}
	return w
}

func (w *world) judge() {
	t := w.t
	if !w.order.Status.final() {
		t.Fatalf("stranded: %s, stock %s, charge %s, parcel %s", w.order.Status, w.stock, w.charge, w.parcel)
	}
	if w.charges > 1 || w.refunds > 1 || w.stockTaken > 1 {
		t.Fatalf("charged %d times, refunded %d times, stock taken %d times", w.charges, w.refunds, w.stockTaken)
	}
	switch w.order.Status {
	case delivered:
		if w.charge != "taken" || w.stock != "taken" || w.parcel != "delivered" {
			t.Fatalf("delivered with charge %s, stock %s, parcel %s", w.charge, w.stock, w.parcel)
		}
	case cancelled:
		if w.charges != w.refunds || w.stock == "reserved" || w.stock == "backordered" || w.stock == "taken" ||
			!slices.Contains([]string{"", "failed", "cancelled"}, w.parcel) {
			t.Fatalf("cancelled with %d charges, %d refunds, stock %s, parcel %s", w.charges, w.refunds, w.stock, w.parcel)
		}
		if w.order.Reason == "" {
			t.Fatal("cancelled without a reason")
		}
	}
	for i, e := range w.timeline {
		if e.Seq != i+1 {
			t.Fatalf("entry %d of the timeline has number %d", i+1, e.Seq)
		}
	}
}

func (w *world) anything() {
	switch rapid.SampledFrom([]string{"deliver", "deliver", "deliver", "duplicate", "lose", "outside", "restock", "cancel", "deadline"}).Draw(w.t, "what") {
	case "deliver":
		if n := len(w.network); n > 0 {
			w.deliver(rapid.IntRange(0, n-1).Draw(w.t, "which"), false)
		}
	case "duplicate":
		if n := len(w.network); n > 0 {
			w.deliver(rapid.IntRange(0, n-1).Draw(w.t, "which"), true)
		}
	case "lose":
		// The outbox and the broker lose nothing. A loss here stands for a dead letter that waits for an operator.
		// OrderCompleted is never lost, because it has no answer and is not sent again: only replaying its dead letter helps.
		if n := len(w.network); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(w.t, "which")
			if _, last := w.network[i].(messages.OrderCompleted); !last {
				w.network = slices.Delete(w.network, i, i+1)
			}
		}
	case "outside":
		w.outside()
	case "restock":
		w.restock()
	case "cancel":
		before := w.order.Status
		out, ok := w.order.cancel(hand{}, w.now, testTimeouts)
		if ok == (before == shipped || before == delivered) {
			w.t.Fatalf("cancellation while %s: %t", before, ok)
		}
		w.put(out)
	case "deadline":
		w.deadline()
	}
}

// deadline lets the order's timeout pass.
func (w *world) deadline() {
	due := w.order.DueAt
	if (due == nil) != w.order.Status.final() {
		w.t.Fatalf("%s, and its deadline is %v", w.order.Status, due)
	}
	if due == nil {
		return
	}
	if _, ok := w.order.overdue(due.Add(-time.Microsecond), testTimeouts); ok {
		w.t.Fatalf("%s: the deadline has passed before its time", w.order.Status)
	}
	w.now = *due
	out, _ := w.order.overdue(w.now, testTimeouts)
	w.put(out)
}

func (w *world) put(out outcome) {
	w.now = w.now.Add(time.Second)
	before := w.order.Status
	w.life.put(out)
	w.told = w.told || w.order.AttentionSince != nil
	w.network = append(w.network, out.send...)
	if out.entry == nil {
		return
	}
	if out.entry.Entered != (w.order.Status != before) {
		w.t.Fatalf("from %q to %q, and the world is told that it was entered: %t", before, w.order.Status, out.entry.Entered)
	}
	w.network = append(w.network, out.order.announce(*out.entry)...)
}

func (w *world) say(m ...messages.Message) { w.network = append(w.network, m...) }

func (w *world) deliver(i int, again bool) {
	m := w.network[i]
	if !again {
		w.network = slices.Delete(w.network, i, i+1)
	}
	switch m := m.(type) {
	case messages.ReserveStock:
		switch {
		case w.stock == "" && w.room:
			w.stock = "reserved"
		case w.stock == "" && w.backorder:
			w.stock = "backordered"
		case w.stock == "":
			w.stock = "rejected"
		}
		w.sayStock()
	case messages.ReleaseStock:
		if w.stock != "rejected" {
			w.stock = "released"
		}
		w.say(messages.StockReleased{OrderID: "o"})
	case messages.OrderCompleted:
		if w.stock == "reserved" {
			w.stock = "taken"
			w.stockTaken++
		}
	case messages.TakePayment:
		if w.charge == "" {
			w.charge = "requested"
		}
		w.sayCharge()
	case messages.RefundPayment:
		switch w.charge {
		case "taken":
			w.charge = "refunded"
			w.refunds++
		case "", "requested":
			w.charge = "withdrawn"
		}
		w.say(messages.PaymentRefunded{OrderID: "o", Amount: messages.Money{Amount: int64(500 * w.refunds), Currency: "EUR"}})
	case messages.ArrangeShipment:
		if w.parcel == "" {
			w.parcel = "arranged"
		}
		w.sayParcel()
	case messages.CancelShipment:
		switch w.parcel {
		case "", "arranged", "cancelled":
			w.parcel = "cancelled"
			w.say(messages.ShipmentCancelled{ShipmentChange: messages.ShipmentChange{OrderID: "o"}})
		case "failed":
			w.sayParcel()
		default:
			w.say(messages.CancellationRefused{OrderID: "o"})
		}
	case messages.OrderPlaced, messages.OrderStatusChanged, messages.OrderCancelled: // these services do not use them
	default:
		if !slices.Contains(w.handled, m.Kind()) {
			w.t.Fatalf("nobody handles %s", m.Kind())
		}
		out, _ := w.order.apply(m, w.now, testTimeouts)
		w.put(out)
	}
}

// restock adds new stock, or announces that there will be none.
func (w *world) restock() {
	w.room = true
	if w.stock == "backordered" {
		w.stock = rapid.SampledFrom([]string{"reserved", "reserved", "rejected"}).Draw(w.t, "what came")
		w.sayStock()
	}
}

// outside lets the provider and the carrier make progress. It reports whether there was anything to do.
func (w *world) outside() bool {
	switch {
	case w.charge == "requested":
		switch rapid.IntRange(0, 4).Draw(w.t, "card") {
		case 0:
			w.charge = "declined"
		case 1: // and a person refunds it at once
			w.charge = "refunded"
			w.charges++
			w.refunds++
		default:
			w.charge = "taken"
			w.charges++
		}
		w.sayCharge()
		return true
	case w.parcel == "arranged" || w.parcel == "dispatched" || w.parcel == "in_transit":
		next := map[string]string{"arranged": "dispatched", "dispatched": "in_transit", "in_transit": "delivered"}
		if w.parcel = next[w.parcel]; w.parcel == "delivered" && rapid.IntRange(0, 3).Draw(w.t, "address") == 0 {
			w.parcel = "failed"
		}
		w.sayParcel()
		return true
	}
	return false
}

func (w *world) sayStock() {
	switch w.stock {
	case "reserved", "taken":
		w.say(messages.StockReserved{OrderID: "o"})
	case "backordered":
		w.say(messages.StockBackordered{OrderID: "o"})
	case "rejected":
		w.say(messages.StockRejected{OrderID: "o"})
	}
}

func (w *world) sayCharge() {
	switch w.charge {
	case "taken":
		w.say(messages.PaymentTaken{OrderID: "o", Amount: messages.Money{Amount: 500, Currency: "EUR"}})
	case "declined":
		w.say(messages.PaymentDeclined{OrderID: "o"})
	case "refunded":
		w.say(messages.PaymentRefunded{OrderID: "o", Amount: messages.Money{Amount: 500, Currency: "EUR"}})
	}
}

// sayParcel repeats everything about the parcel, as shipping does when it is asked again: in one event, or in several.
func (w *world) sayParcel() {
	stages := []string{"arranged", "dispatched", "in_transit", "delivered"}
	switch w.parcel {
	case "failed":
		stages[3] = "failed"
	case "cancelled":
		stages = []string{"cancelled"}
	default:
		stages = stages[:slices.Index(stages, w.parcel)+1]
	}
	c := messages.ShipmentChange{OrderID: "o"}
	for i := range stages {
		if i > 0 {
			c.Earlier = append(c.Earlier, messages.ShipmentStage{Stage: stages[i-1], At: c.At})
		}
		c.At = time.Unix(int64(i+1), 0)
	}
	all := messages.ShipmentReached(stages[len(stages)-1], c)
	if rapid.Bool().Draw(w.t, "together") {
		w.say(all)
	} else {
		w.say(messages.Unfold(all)...)
	}
}
