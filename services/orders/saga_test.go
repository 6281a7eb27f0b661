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
	forward      = []status{placed, backordered, reserved, paid, shipped, delivered}
	compensation = []status{withdrawing, refunding, releasing, cancelled}
	statuses     = slices.Concat(forward, compensation)
)

// A script is the life of an order: what happens to it, its status after that, and what it sends.
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
		tooLong          = outOfTime{}
	)
	for _, s := range []struct {
		name   string
		events []any
		end    status
		why    reason
		send   string // the commands, and the last event
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
		{"a parcel that nothing is said of is asked for, for ever", []any{stockReserved, paymentTaken, dispatched, tooLong}, shipped, "", "reserve_stock take_payment arrange_shipment arrange_shipment arrange_shipment arrange_shipment"},
		{"a refund without an answer is asked for, for ever", []any{stockReserved, cancel, tooLong}, refunding, customerRequest, "reserve_stock take_payment refund_payment refund_payment refund_payment refund_payment"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(id, at)
			for _, event := range s.events {
				l.apply(event)
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

// Only the answer to its command ends a compensating state, so the order needs attention sooner there than in other states.
func TestACompensationThatTakesLongSoonNeedsAttention(t *testing.T) {
	t.Parallel()
	p := timeouts{Step: time.Minute, Backorder: time.Hour, Dispatch: time.Hour, Delivery: time.Hour, Longest: 24 * time.Hour, Tries: 5}
	told := func(o order) (after time.Duration) {
		begun := o.UpdatedAt
		now := *o.DueAt
		for o.AttentionSince == nil && after < 100*time.Hour {
			out, _ := o.overdue(now, p)
			o, after = out.order, now.Sub(begun)
			now = *o.DueAt
		}
		return after
	}
	at := time.Unix(0, 0)
	for s, want := range map[status]time.Duration{withdrawing: 7 * time.Minute, refunding: 7 * time.Minute, releasing: 7 * time.Minute, shipped: 55 * time.Hour} {
		if got := told(order{ID: "o"}.enter(s, "", "", at, p).order); got != want {
			t.Errorf("%s: a person is told after %s, want %s", s, got, want)
		}
	}
}

const paymentDeclined_ = paymentDeclined // the scripts use the short name for the event

// Steps of a script that are not messages.
type (
	customerCancels hand     // or an operator
	outOfTime       struct{} // all the timeouts of the state, one after another
)

// life plays an order's script without a broker and a database.
type life struct {
	order    order
	now      time.Time
	sent     []string
	timeline []entry
}

var testTimeouts = timeouts{Step: time.Minute, Backorder: time.Hour, Dispatch: time.Hour, Delivery: time.Hour, Longest: 24 * time.Hour, Tries: 2}

func newLife(id string, at time.Time) *life {
	l := &life{now: at}
	o := order{
		ID: id, CustomerID: "alice", PaymentMethod: "tok_visa", Total: messages.Money{Amount: 500, Currency: "EUR"},
		Lines: []line{{SKU: "MUG-BLUE", Quantity: 1, UnitPrice: messages.Money{Amount: 500, Currency: "EUR"}}},
	}
	l.put(o.place(at, testTimeouts))
	return l
}

func (l *life) apply(event any) {
	l.now = l.now.Add(time.Second)
	switch event := event.(type) {
	case customerCancels:
		out, _ := l.order.cancel(hand(event), l.now, testTimeouts)
		l.put(out)
	case outOfTime:
		for range testTimeouts.Tries + 1 {
			l.now = *l.order.DueAt
			out, _ := l.order.overdue(l.now, testTimeouts)
			l.put(out)
		}
	case messages.Message:
		out, _ := l.order.apply(event, l.now, testTimeouts)
		l.put(out)
	}
}

func (l *life) put(out outcome) {
	l.order = out.order
	sent := out.send
	if out.entry != nil {
		l.timeline = append(l.timeline, *out.entry)
		sent = append(sent, out.order.announce(*out.entry)...)
	}
	for _, m := range sent {
		_, command := m.(messages.Command)
		if _, name, _ := strings.Cut(m.Kind(), "."); command || slices.Contains([]string{"order_completed", "order_cancelled"}, name) {
			l.sent = append(l.sent, name)
		}
	}
}

// row is a transition together with its state.
type row struct {
	in status
	transition
}

// rows returns the transitions of all states.
func rows() (all []row) {
	for _, s := range statuses {
		for _, t := range saga[s].transitions {
			all = append(all, row{s, t})
		}
	}
	return all
}

func TestNoEventHasTwoTransitionsInAState(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range rows() {
		question := r.on + " in " + string(r.in)
		if seen[question] {
			t.Errorf("two transitions for %s", question)
		}
		seen[question] = true
	}
}

func TestNoStateStrands(t *testing.T) {
	t.Parallel()
	if len(saga) != len(statuses) {
		t.Fatalf("%d states for %d statuses", len(saga), len(statuses))
	}
	ends := map[status]bool{delivered: true, cancelled: true}
	for changed := true; changed; { // collect the states from which an end can be reached
		changed = false
		for _, r := range rows() {
			if ends[r.to] && !ends[r.in] {
				ends[r.in], changed = true, true
			}
		}
	}
	for _, s := range statuses {
		state := saga[s]
		switch {
		case !ends[s]:
			t.Errorf("no way from %s to an end", s)
		case s.final():
			if state.command != nil || state.compensation != "" || len(state.transitions) > 0 {
				t.Errorf("%s is final and goes on", s)
			}
		case state.command == nil:
			t.Errorf("%s waits for an answer that it does not ask for", s)
		case state.compensation != "" && !state.compensation.compensating():
			t.Errorf("%s is compensated by %s", s, state.compensation)
		case testTimeouts.after(s, 0) <= 0 || testTimeouts.after(s, 60) > testTimeouts.Longest:
			t.Errorf("%s waits %s at first and %s at last", s, testTimeouts.after(s, 0), testTimeouts.after(s, 60))
		}
	}
}

func TestEveryEventOfTheSagaIsWired(t *testing.T) {
	t.Parallel()
	handled := inbox.New(nil, nil, (*shop)(nil).work, (*shop)(nil).handlers()...).Events()
	for _, r := range rows() {
		if !slices.Contains(handled, r.on) {
			t.Errorf("no handler for %s", r.on)
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
	want := before + begin + redrawn(old, rows()) + end + after
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

// redrawn replaces the older drawing of the saga. Ways that only the older drawing has are kept: orders have gone them, and the
// auditor, which reads the saga from this document, must still accept them.
func redrawn(old string, all []row) string {
	drawing := drawn(all)
	now := ways(drawing)
	gone := slices.DeleteFunc(ways(old), func(way string) bool { return slices.Contains(now, way) })
	if len(gone) == 0 {
		return drawing
	}
	return drawing + "Orders of earlier releases went these ways, too:\n\n```text\n" + strings.Join(gone, "\n") + "\n```\n\n"
}

// ways returns the transitions of a drawing, each once, whichever events cause it.
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
	old := drawn(rows())
	inserted := slices.DeleteFunc(rows(), func(r row) bool { return r.in == placed && r.to == reserved })
	inserted = append(inserted, row{placed, transition{to: "checked"}}, row{"checked", transition{to: reserved}})
	if got := redrawn(old, rows()); got != old {
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

// drawn returns the saga as a diagram and two tables.
func drawn(all []row) string {
	var b strings.Builder
	b.WriteString("\n```mermaid\nstateDiagram-v2\n    [*] --> placed\n")
	for _, r := range all {
		if r.in != r.to {
			fmt.Fprintf(&b, "    %s --> %s: %s\n", r.in, r.to, short(r.on))
		}
	}
	for _, s := range statuses {
		if to := saga[s].compensation; to != "" {
			fmt.Fprintf(&b, "    %s --> %s: cancelled or expired\n", s, to)
		}
	}
	b.WriteString("    delivered --> [*]\n    cancelled --> [*]\n```\n\n| state | command | sent on entering | event that announces it | compensation |\n| --- | --- | --- | --- | --- |\n")
	o := order{}
	for _, s := range statuses {
		state := saga[s]
		command, entering := "", ""
		if state.command != nil {
			command = "`" + state.command(o).Kind() + "`"
			if entering = "yes"; state.onlyAgain {
				entering = "no, only at a timeout"
			}
		}
		announced := o.announce(entry{Seq: 1, Status: s, Entered: true})[0].Kind()
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` | %s |\n", s, command, entering, announced, state.compensation)
	}
	b.WriteString("\n| state | event | next state | reason | timeline |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range all {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", r.in, r.on, r.to, r.why, r.what)
	}
	b.WriteString("\n")
	return b.String()
}

func short(kind string) string {
	_, name, _ := strings.Cut(kind, ".")
	return name
}
