package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
)

var update = flag.Bool("update", false, "write docs/saga.md instead of comparing it")

var (
	forward  = []status{placed, backordered, reserved, paid, shipped, delivered}
	backward = []status{withdrawing, refunding, releasing, cancelled}
	statuses = slices.Concat(forward, backward)
)

// A script is an order's life: what it hears, where that leaves it, and what it sends.
func TestSagaScripts(t *testing.T) {
	t.Parallel()
	const id = "0199c0de-0000-7000-8000-000000000001"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var (
		stockReserved    = messages.StockReserved{OrderID: id}
		stockBackordered = messages.StockBackordered{OrderID: id}
		stockRejected    = messages.StockRejected{OrderID: id}
		stockReleased    = messages.StockReleased{OrderID: id}
		paymentTaken     = messages.PaymentTaken{OrderID: id, Amount: messages.Money{Amount: 500, Currency: "EUR"}}
		paymentDeclined  = messages.PaymentDeclined{OrderID: id, Code: "card_declined"}
		refunded         = messages.PaymentRefunded{OrderID: id, Amount: messages.Money{Amount: 500, Currency: "EUR"}}
		nothingToRefund  = messages.PaymentRefunded{OrderID: id}
		arranged         = messages.ShipmentArranged{ShipmentChange: messages.ShipmentChange{OrderID: id, Carrier: "c", TrackingNumber: "n", At: at}}
		dispatched       = messages.ShipmentDispatched{ShipmentChange: messages.ShipmentChange{OrderID: id, At: at.Add(1)}}
		inTransit        = messages.ShipmentInTransit{ShipmentChange: messages.ShipmentChange{OrderID: id, At: at.Add(2)}}
		arrived          = messages.ShipmentDelivered{ShipmentChange: messages.ShipmentChange{OrderID: id, At: at.Add(3)}}
		failed           = messages.ShipmentFailed{ShipmentChange: messages.ShipmentChange{OrderID: id, At: at.Add(3)}}
		calledBack       = messages.ShipmentCancelled{ShipmentChange: messages.ShipmentChange{OrderID: id}}
		refused          = messages.CancellationRefused{OrderID: id}
		cancel           = customerCancels{}
		operatorCancels  = customerCancels{Operator: "olga", Why: "the shelf is broken"}
		settled          = messages.PaymentRefunded{OrderID: id, Settled: &messages.Settlement{Operator: "olga", Reason: "repaid"}}
		lost             = messages.ShipmentFailed{ShipmentChange: messages.ShipmentChange{OrderID: id, At: at, Settled: &messages.Settlement{Operator: "olga", Reason: "it is lost"}}}
		tooLong          = outOfPatience{}
	)
	for _, s := range []struct {
		name string
		hear []any
		end  status
		why  reason
		send string // the commands, and the last event
	}{
		{"all goes well", []any{stockReserved, paymentTaken, arranged, dispatched, inTransit, arrived}, delivered, "", "reserve_stock take_payment arrange_shipment order_completed"},
		{"everything twice", []any{stockReserved, stockReserved, paymentTaken, paymentTaken, arranged, arranged, dispatched, dispatched, arrived, arrived}, delivered, "", "reserve_stock take_payment arrange_shipment order_completed"},
		{"delivered overtakes dispatched", []any{stockReserved, paymentTaken, arrived, dispatched, arranged}, delivered, "", "reserve_stock take_payment arrange_shipment order_completed"},
		{"backordered, then reserved", []any{stockBackordered, stockReserved}, reserved, "", "reserve_stock take_payment"},
		{"backordered, then turned away", []any{stockBackordered, stockRejected}, cancelled, outOfStock, "reserve_stock order_cancelled"},
		{"turned away after a cancellation", []any{stockBackordered, cancel, stockRejected, stockReleased}, cancelled, customerRequest, "reserve_stock release_stock order_cancelled"},
		{"turned away overtakes backordered", []any{stockRejected, stockBackordered}, cancelled, outOfStock, "reserve_stock order_cancelled"},
		{"reserved overtakes backordered", []any{stockReserved, stockBackordered}, reserved, "", "reserve_stock take_payment"},
		{"out of stock", []any{stockRejected}, cancelled, outOfStock, "reserve_stock order_cancelled"},
		{"card declined gives the stock back", []any{stockReserved, paymentDeclined, stockReleased}, cancelled, paymentDeclined_, "reserve_stock take_payment release_stock order_cancelled"},
		{"undeliverable is refunded and the stock comes back", []any{stockReserved, paymentTaken, arranged, dispatched, failed, refunded, stockReleased}, cancelled, undeliverable, "reserve_stock take_payment arrange_shipment refund_payment release_stock order_cancelled"},
		{"the carrier refuses the address", []any{stockReserved, paymentTaken, failed, refunded, stockReleased}, cancelled, undeliverable, "reserve_stock take_payment arrange_shipment refund_payment release_stock order_cancelled"},
		{"cancelled before the stock is known", []any{cancel, stockReserved, stockReleased}, cancelled, customerRequest, "reserve_stock release_stock order_cancelled"},
		{"cancelled while backordered", []any{stockBackordered, cancel, stockReleased}, cancelled, customerRequest, "reserve_stock release_stock order_cancelled"},
		{"cancelled while the card is charged", []any{stockReserved, cancel, paymentTaken, refunded, stockReleased}, cancelled, customerRequest, "reserve_stock take_payment refund_payment release_stock order_cancelled"},
		{"cancelled before the card is charged", []any{stockReserved, cancel, nothingToRefund, stockReleased}, cancelled, customerRequest, "reserve_stock take_payment refund_payment release_stock order_cancelled"},
		{"cancelled before dispatch", []any{stockReserved, paymentTaken, arranged, cancel, calledBack, refunded, stockReleased}, cancelled, customerRequest, "reserve_stock take_payment arrange_shipment cancel_shipment refund_payment release_stock order_cancelled"},
		{"cancelled too late by a moment", []any{stockReserved, paymentTaken, arranged, cancel, refused, dispatched, arrived}, delivered, "", "reserve_stock take_payment arrange_shipment cancel_shipment order_completed"},
		{"the dispatch overtakes the refusal", []any{stockReserved, paymentTaken, cancel, dispatched, refused, arrived}, delivered, "", "reserve_stock take_payment arrange_shipment cancel_shipment order_completed"},
		{"cancelled, and the parcel fails by itself", []any{stockReserved, paymentTaken, cancel, failed, refunded, stockReleased}, cancelled, customerRequest, "reserve_stock take_payment arrange_shipment cancel_shipment refund_payment release_stock order_cancelled"},
		{"cancelled by an operator", []any{stockReserved, operatorCancels, nothingToRefund, stockReleased}, cancelled, operatorRequest, "reserve_stock take_payment refund_payment release_stock order_cancelled"},
		{"given back at the provider before it was known to be charged", []any{stockReserved, refunded, stockReleased}, cancelled, paymentReturned, "reserve_stock take_payment release_stock order_cancelled"},
		{"an operator settles the refund", []any{stockReserved, cancel, settled, stockReleased}, cancelled, customerRequest, "reserve_stock take_payment refund_payment release_stock order_cancelled"},
		{"an operator settles the parcel, and the refund", []any{stockReserved, paymentTaken, dispatched, lost, settled, stockReleased}, cancelled, undeliverable, "reserve_stock take_payment arrange_shipment refund_payment release_stock order_cancelled"},
		{"no answer about the stock", []any{tooLong, stockReleased}, cancelled, expired, "reserve_stock reserve_stock reserve_stock release_stock order_cancelled"},
		{"no answer about the payment", []any{stockReserved, tooLong, nothingToRefund, stockReleased}, cancelled, expired, "reserve_stock take_payment take_payment take_payment refund_payment release_stock order_cancelled"},
		{"never dispatched", []any{stockReserved, paymentTaken, tooLong, calledBack, refunded, stockReleased}, cancelled, expired, "reserve_stock take_payment arrange_shipment arrange_shipment arrange_shipment cancel_shipment refund_payment release_stock order_cancelled"},
		{"a parcel without news is asked for, for ever", []any{stockReserved, paymentTaken, dispatched, tooLong}, shipped, "", "reserve_stock take_payment arrange_shipment arrange_shipment arrange_shipment arrange_shipment"},
		{"a refund without an answer is asked for, for ever", []any{stockReserved, cancel, tooLong}, refunding, customerRequest, "reserve_stock take_payment refund_payment refund_payment refund_payment refund_payment"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(id, at)
			for _, event := range s.hear {
				l.hear(event)
			}
			if l.order.Status != s.end || l.order.Reason != s.why {
				t.Errorf("ends %s (%s), want %s (%s)", l.order.Status, l.order.Reason, s.end, s.why)
			}
			if got := strings.Join(l.sent, " "); got != s.send {
				t.Errorf("sends %s\nwant  %s", got, s.send)
			}
			for i, e := range l.timeline {
				if e.Seq != i+1 {
					t.Errorf("entry %d of the timeline has number %d", i+1, e.Seq)
				}
			}
		})
	}
}

// Nothing but its answer ends a step back: a person is told sooner than of what turns back by itself.
func TestAStepBackIsSoonShownToAPerson(t *testing.T) {
	t.Parallel()
	p := patience{Step: time.Minute, Backorder: time.Hour, Dispatch: time.Hour, Delivery: time.Hour, Longest: 24 * time.Hour, Tries: 5}
	told := func(o order) (after time.Duration) {
		begun := o.UpdatedAt
		now := *o.DueAt
		for o.AttentionSince == nil && after < 100*time.Hour {
			t, _ := o.overdue(now, p)
			o, after = t.order, now.Sub(begun)
			now = *o.DueAt
		}
		return after
	}
	at := time.Unix(0, 0)
	for s, want := range map[status]time.Duration{withdrawing: 7 * time.Minute, refunding: 7 * time.Minute, releasing: 7 * time.Minute, shipped: 55 * time.Hour} {
		if got := told(order{ID: "o"}.enter(s, "", at, p).order); got != want {
			t.Errorf("%s: a person is told after %s, want %s", s, got, want)
		}
	}
}

const paymentDeclined_ = paymentDeclined // the scripts use the name for the event

// Events of a script that are no messages.
type (
	customerCancels hand     // or an operator
	outOfPatience   struct{} // all the deadlines of the status, one after another
)

// life plays an order without a broker and a database.
type life struct {
	order    order
	now      time.Time
	sent     []string
	timeline []entry
}

var testPatience = patience{Step: time.Minute, Backorder: time.Hour, Dispatch: time.Hour, Delivery: time.Hour, Longest: 24 * time.Hour, Tries: 2}

func newLife(id string, at time.Time) *life {
	l := &life{now: at}
	o := order{
		ID: id, CustomerID: "alice", PaymentMethod: "tok_visa", Total: messages.Money{Amount: 500, Currency: "EUR"},
		Lines: []line{{SKU: "MUG-BLUE", Quantity: 1, UnitPrice: messages.Money{Amount: 500, Currency: "EUR"}}},
	}
	l.take(o.place(at, testPatience))
	return l
}

func (l *life) hear(event any) {
	l.now = l.now.Add(time.Second)
	switch event := event.(type) {
	case customerCancels:
		t, _ := l.order.cancel(hand(event), l.now, testPatience)
		l.take(t)
	case outOfPatience:
		for range testPatience.Tries + 1 {
			l.now = *l.order.DueAt
			t, _ := l.order.overdue(l.now, testPatience)
			l.take(t)
		}
	case messages.Message:
		t, _ := l.order.hear(event, l.now, testPatience)
		l.take(t)
	}
}

func (l *life) take(t turn) {
	l.order = t.order
	sent := t.send
	if t.entry != nil {
		l.timeline = append(l.timeline, *t.entry)
		sent = append(sent, t.order.announce(*t.entry)...)
	}
	for _, m := range sent {
		_, command := m.(messages.Command)
		if _, name, _ := strings.Cut(m.Kind(), "."); command || slices.Contains([]string{"order_completed", "order_cancelled"}, name) {
			l.sent = append(l.sent, name)
		}
	}
}

func TestNoQuestionHasTwoAnswers(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range moves {
		question := string(m.in) + " hears " + m.on
		if seen[question] {
			t.Errorf("two rows for: %s", question)
		}
		seen[question] = true
	}
}

func TestNoStatusStrands(t *testing.T) {
	t.Parallel()
	if len(steps) != len(statuses) {
		t.Fatalf("%d steps for %d statuses", len(steps), len(statuses))
	}
	ends := map[status]bool{delivered: true, cancelled: true}
	for changed := true; changed; { // from which statuses an end can be reached
		changed = false
		for _, m := range moves {
			if ends[m.to] && !ends[m.in] {
				ends[m.in], changed = true, true
			}
		}
	}
	for _, s := range statuses {
		step := steps[s]
		switch {
		case !ends[s]:
			t.Errorf("no way from %s to an end", s)
		case s.final():
			if step.asks != nil || step.back != "" || slices.ContainsFunc(moves, func(m move) bool { return m.in == s }) {
				t.Errorf("%s is final and goes on", s)
			}
		case step.asks == nil:
			t.Errorf("%s waits for an answer that it does not ask for", s)
		case step.back != "" && !step.back.backward():
			t.Errorf("%s turns back to %s", s, step.back)
		case testPatience.until(s, 0) <= 0 || testPatience.until(s, 60) > testPatience.Longest:
			t.Errorf("%s waits %s at first and %s at last", s, testPatience.until(s, 0), testPatience.until(s, 60))
		}
	}
}

func TestEveryEventOfTheSagaIsWired(t *testing.T) {
	t.Parallel()
	heard := inbox.New(nil, nil, (*shop)(nil).work, (*shop)(nil).handlers()...).Events()
	for _, m := range moves {
		if !slices.Contains(heard, m.on) {
			t.Errorf("no handler for %s", m.on)
		}
	}
}

const sagaDoc = "../../docs/saga.md"

func TestTheDocumentShowsTheSagaAsItIs(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- drawn from services/orders/saga.go by its test: do not edit -->\n", "<!-- end of what is drawn -->\n"
	doc, err := os.ReadFile(sagaDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the drawing", sagaDoc)
	}
	want := before + begin + redrawn(old, moves) + end + after
	if *update {
		if err := os.WriteFile(sagaDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(doc) != want {
		t.Errorf("%s differs from the saga; go test -run Document -update ./services/orders", sagaDoc)
	}
}

// redrawn is the saga in the place of an older drawing. Orders have gone the older one's ways: the auditor, who knows the saga
// from here, must go on taking them for right.
func redrawn(old string, moves []move) string {
	drawing := drawn(moves)
	now := ways(drawing)
	gone := slices.DeleteFunc(ways(old), func(way string) bool { return slices.Contains(now, way) })
	if len(gone) == 0 {
		return drawing
	}
	return drawing + "Orders of earlier releases went these ways, too:\n\n```text\n" + strings.Join(gone, "\n") + "\n```\n\n"
}

// ways are those of a drawing, each once, whatever leads there.
func ways(drawing string) (found []string) {
	for line := range strings.Lines(drawing) {
		way, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.Contains(way, " --> ") && !slices.Contains(found, way) {
			found = append(found, way)
		}
	}
	return found
}

func TestAWayThatIsTakenOutOfTheSagaStaysInItsDocument(t *testing.T) {
	t.Parallel()
	old := drawn(moves)
	inserted := slices.DeleteFunc(slices.Clone(moves), func(m move) bool { return m.in == placed && m.to == reserved })
	inserted = append(inserted, move{in: placed, to: "checked"}, move{in: "checked", to: reserved})
	if got := redrawn(old, moves); got != old {
		t.Errorf("nothing has changed, and it is drawn as\n%s", got)
	}
	once := redrawn(old, inserted)
	for _, way := range []string{"    placed --> checked: \n", "    checked --> reserved: \n", "```text\nplaced --> reserved\n```"} {
		if !strings.Contains(once, way) {
			t.Errorf("there is no %q in\n%s", way, once)
		}
	}
	if twice := redrawn(once, inserted); twice != once {
		t.Errorf("drawn again it is\n%s", twice)
	}
}

// drawn is the saga as a diagram and two tables.
func drawn(moves []move) string {
	var b strings.Builder
	b.WriteString("\n```mermaid\nstateDiagram-v2\n    [*] --> placed\n")
	for _, m := range moves {
		if m.in != m.to {
			fmt.Fprintf(&b, "    %s --> %s: %s\n", m.in, m.to, short(m.on))
		}
	}
	for _, s := range statuses {
		if back := steps[s].back; back != "" {
			fmt.Fprintf(&b, "    %s --> %s: cancelled or expired\n", s, back)
		}
	}
	b.WriteString("    delivered --> [*]\n    cancelled --> [*]\n```\n\n| in | asks | on entering | announced by | turned back to |\n| --- | --- | --- | --- | --- |\n")
	o := order{}
	for _, s := range statuses {
		step := steps[s]
		asks, entering := "", ""
		if step.asks != nil {
			asks = "`" + step.asks(o).Kind() + "`"
			if entering = "sent"; step.quiet {
				entering = "not sent, only again at a deadline"
			}
		}
		announced := o.announce(entry{Seq: 1, Status: s, Entered: true})[0].Kind()
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` | %s |\n", s, asks, entering, announced, step.back)
	}
	b.WriteString("\n| in | hears | goes to | reason | timeline |\n| --- | --- | --- | --- | --- |\n")
	for _, m := range moves {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", m.in, m.on, m.to, m.why, m.what)
	}
	b.WriteString("\n")
	return b.String()
}

func short(kind string) string {
	_, name, _ := strings.Cut(kind, ".")
	return name
}
