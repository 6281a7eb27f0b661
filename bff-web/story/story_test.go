package story

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/pkg/bus"
)

var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// passed is a message that was written and seen so many ms after midnight.
func passed(ms int, id, kind string, adapt ...func(*bus.Passage)) bus.Passage {
	owner, _, _ := strings.Cut(kind, ".")
	at := midnight.Add(time.Duration(ms) * time.Millisecond)
	p := bus.Passage{Way: bus.Sent, At: at.Add(time.Millisecond), Delivery: bus.Delivery{Attempt: 1, Message: bus.Message{
		ID: id, Kind: kind, Source: owner, Subject: "o-1", CausationID: "a-cause", Time: at, Body: []byte(`{"order_id":"o-1"}`),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}}}
	for _, a := range adapt {
		a(&p)
	}
	return p
}

func from(source string) func(*bus.Passage) { return func(p *bus.Passage) { p.Source = source } }

func went(way bus.Way, attempt int, why string) func(*bus.Passage) {
	return func(p *bus.Passage) {
		p.Way, p.Attempt, p.Error, p.Queue, p.Source = way, attempt, why, "payments.commands", "orders"
		p.Wait, p.Dead = 500*time.Millisecond, "exhausted"
	}
}

func TestTheStoryOfAnOrderIsToldInTheOrderInWhichItHappened(t *testing.T) {
	t.Parallel()
	const take, taken, refund, refunded = "payments.take_payment", "payments.payment_taken", "payments.refund_payment", "payments.payment_refunded"
	entries := func(all ...orders.Authored) []orders.Authored { return all }
	at := func(ms int, status, what string) orders.Authored {
		return orders.Authored{Entry: orders.Entry{At: midnight.Add(time.Duration(ms) * time.Millisecond), Status: status, What: what}}
	}
	for _, test := range []struct {
		name     string
		timeline []orders.Authored
		calls    []Step
		passages []bus.Passage
		want     []string // after the request
	}{
		{
			"what orders gets, decides and sends at the same moment", entries(at(0, "placed", "order placed"), at(5, "reserved", "stock reserved")), nil,
			[]bus.Passage{passed(5, "3", take, from("orders")), passed(5, "2", "inventory.stock_reserved"), passed(0, "1", "inventory.reserve_stock", from("orders"))},
			[]string{
				"state orders: Placed: order placed", "command orders → inventory: reserve_stock", "event inventory → orders: stock_reserved",
				"state orders: Reserved: stock reserved", "command orders → payments: take_payment",
			},
		},
		{
			"the same message twice", nil, nil,
			[]bus.Passage{passed(1, "1", taken), passed(1, "1", taken)},
			[]string{"event payments → orders: payment_taken", "event payments → orders: payment_taken (the same message again: the inbox drops it)"},
		},
		{
			"asked and answered again", nil, nil,
			[]bus.Passage{passed(1, "1", take, from("orders")), passed(2, "2", taken), passed(3, "3", take, from("orders")), passed(4, "4", taken)},
			[]string{"command orders → payments: take_payment", "event payments → orders: payment_taken", "command orders → payments: take_payment (asked again)", "event payments → orders: payment_taken (answered again, not charged again)"},
		},
		{
			"an attempt that fails", nil, nil,
			[]bus.Passage{passed(1, "1", take, from("orders")), passed(2, "1", take, went(bus.Delayed, 2, "no connection")), passed(500, "1", take, went(bus.Back, 2, "no connection"))},
			[]string{"command orders → payments: take_payment", "retry payments: take_payment (attempt 1 failed, the next one in 500ms: no connection)", "retry payments: take_payment (attempt 2)"},
		},
		{
			"given up and replayed", nil, nil,
			[]bus.Passage{passed(1, "1", take, went(bus.GivenUp, 8, "no connection")), passed(2, "1", take, went(bus.Back, 1, ""), func(p *bus.Passage) { p.By = "olga" })},
			[]string{"dead payments: take_payment (given up (exhausted), now a dead letter: no connection)", "retry payments: take_payment (replayed by olga)"},
		},
		{
			"a compensation",
			[]orders.Authored{{Entry: orders.Entry{At: midnight, Status: "refunding", Event: "cancellation_requested_by_shop", What: "cancellation requested by the shop"}}},
			nil,
			[]bus.Passage{passed(1, "1", refund, from("orders")), passed(2, "2", refunded)},
			[]string{"request back gateway → orders: POST …/cancellation", "state back orders: Undoing the payment: cancellation requested by the shop", "command back orders → payments: refund_payment", "event back payments → orders: payment_refunded"},
		},
		{
			"a message that RabbitMQ got late", nil, nil,
			[]bus.Passage{passed(1, "1", take, from("orders"), func(p *bus.Passage) { p.At = p.At.Add(12 * time.Second) }), passed(9000, "2", "orders.order_status_changed")},
			[]string{"event orders → bff-web: order_status_changed", "command orders → payments: take_payment (was in the outbox for 12s)"},
		},
		{
			"calls of the provider", nil, CallsOf("payments", "provider", []Call{
				{midnight.Add(2 * time.Millisecond), 2000, "POST /charges", "timeout"}, {midnight.Add(time.Second), 12, "GET /charges", "200"}, {midnight.Add(2 * time.Second), 3, "POST /refunds", "503"},
			}),
			[]bus.Passage{passed(1, "1", take, from("orders"))},
			[]string{
				"command orders → payments: take_payment", "failed payments → provider: POST /charges (timeout after 2000 ms)",
				"request payments → provider: GET /charges (200 after 12 ms)", "failed back payments → provider: POST /refunds (503 after 3 ms)",
			},
		},
		{"several receivers", nil, nil, []bus.Passage{passed(1, "1", "orders.order_completed")}, []string{"event orders → inventory, bff-web: order_completed"}},
	} {
		steps := TellStory(orders.Order{CreatedAt: midnight}, test.timeline, test.calls, test.passages, true)
		if steps[0].Label != "POST /api/orders" {
			t.Errorf("%s: it begins with %+v", test.name, steps[0])
		}
		var got []string
		for _, s := range steps[1:] {
			got = append(got, line(s))
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

func line(s Step) string {
	text := s.Sort + " "
	if s.Back {
		text += "back "
	}
	if text += s.From; s.To[0] != s.From {
		text += " → " + strings.Join(s.To, ", ")
	}
	if text += ": " + s.Label; s.Note != "" {
		text += " (" + s.Note + ")"
	}
	return text
}

func TestAShopperIsNotToldWhyAnAttemptFailed(t *testing.T) {
	t.Parallel()
	failed := []bus.Passage{passed(1, "1", "payments.take_payment", went(bus.Delayed, 2, "relation payments does not exist"))}
	for _, operator := range []bool{false, true} {
		s := TellStory(orders.Order{CreatedAt: midnight}, nil, nil, failed, operator)[1]
		if told := strings.Contains(s.Note+s.Envelope.Error, "relation payments"); told != operator {
			t.Errorf("an operator: %t, told: %t", operator, told)
		}
	}
}

// Every step is drawn at a place of its own, within the picture.
func TestADiagramIsAsLargeAsWhatIsInIt(t *testing.T) {
	t.Parallel()
	var passages []bus.Passage
	for i := range 40 {
		passages = append(passages, passed(i*700, fmt.Sprint(i), "payments.take_payment", from("loyalty")))
	}
	d := Draw(TellStory(orders.Order{CreatedAt: midnight}, []orders.Authored{{Entry: orders.Entry{At: midnight, Status: "placed", What: strings.Repeat("x", 500)}}}, nil, passages, true), midnight)
	if n := len(d.Lanes); n != len(standing)+1 || d.Lanes[n-1].Name != "loyalty" {
		t.Errorf("the lanes are %v", d.Lanes)
	}
	y, pauses := 0, 0
	for _, r := range d.Rows {
		if r.Y-y < rowHeight || r.Y > d.Height || r.X < gutter || r.X > d.Width && r.Box == nil {
			t.Errorf("row %d is at %d, %d; the diagram has %d × %d", r.N, r.X, r.Y, d.Width, d.Height)
		}
		for _, a := range r.Arrows {
			if a.X1 == a.X2 || a.X2 > d.Width {
				t.Errorf("row %d has an arrow from %d to %d", r.N, a.X1, a.X2)
			}
		}
		if y = r.Y; r.Pause != "" {
			pauses++
		}
	}
	if d.Foot == 0 || pauses != 0 {
		t.Errorf("foot at %d, %d pauses", d.Foot, pauses)
	}
}
