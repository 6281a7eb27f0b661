package backstage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/live"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
)

func newTestTraffic() *traffic {
	t := newTraffic([]string{"inventory", "orders", "payments", "shipping"}, func(kind string) bool { return slices.Contains(live.Kinds, kind) })
	t.programs([]health.Health{{Program: health.Program{Name: "orders", Address: "o"}, Metrics: true, Samples: health.Samples([]byte(`
bus_handled_total{kind="payments.payment_taken",outcome="done",queue="orders.events"} 0
bus_handled_total{kind="payments.payment_refunded",outcome="done",queue="orders.events"} 0
bus_handled_total{kind="orders.order_completed",outcome="done",queue="inventory.events"} 0
bus_handled_total{kind="",outcome="retry",queue="orders.events"} 4
`))}})
	return t
}

func passage(way bus.Way, exchange, source, kind, queue, by string) bus.Passage {
	return bus.Passage{Delivery: bus.Delivery{Message: bus.Message{Exchange: exchange, Source: source, Kind: kind}}, Way: way, Queue: queue, By: by}
}

// moves returns what has moved, one line for each move.
func (t *traffic) lines() (all []string) {
	moves, _, _ := t.tell(time.Now())
	for _, key := range slices.Sorted(maps.Keys(moves)) {
		all = append(all, fmt.Sprint(key, " ", moves[key].times))
	}
	return all
}

func TestEachMessageMovesTheWayThatItTakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		passage bus.Passage
		want    string
	}{
		"a command":                       {passage(bus.Sent, bus.Commands, "orders", "payments.take_payment", "", ""), ">orders commands payments.commands|command|take_payment 1"},
		"an event":                        {passage(bus.Sent, bus.Events, "payments", "payments.payment_taken", "", ""), ">payments events orders.events|event|payment_taken 1"},
		"an event with two receivers":     {passage(bus.Sent, bus.Events, "orders", "orders.order_completed", "", ""), ">orders events bff-web|event|order_completed 1, >orders events inventory.events|event|order_completed 1"},
		"a notification":                  {passage(bus.Sent, bus.Events, "orders", "orders.order_placed", "", ""), ">orders events bff-web|event|order_placed 1"},
		"an event that nobody wants":      {passage(bus.Sent, bus.Events, "inventory", "inventory.stock_replenished", "", ""), ">inventory events|event|stock_replenished 1"},
		"a compensation":                  {passage(bus.Sent, bus.Commands, "orders", "payments.refund_payment", "", ""), ">orders commands payments.commands|undo|refund_payment 1"},
		"its answer":                      {passage(bus.Sent, bus.Events, "payments", "payments.payment_refunded", "", ""), ">payments events orders.events|undo|payment_refunded 1"},
		"an attempt that has failed":      {passage(bus.Delayed, "", "orders", "payments.take_payment", "payments.commands", ""), ">payments payments.retry|command|take_payment 1"},
		"another attempt":                 {passage(bus.Back, "", "orders", "payments.take_payment", "payments.commands", ""), ">payments.retry payments.commands|command|take_payment 1"},
		"a message that was given up":     {passage(bus.GivenUp, "", "payments", "payments.payment_taken", "orders.events", ""), ">orders orders.dead|dead|payment_taken 1"},
		"a dead letter that was replayed": {passage(bus.Back, "", "payments", "payments.payment_taken", "orders.events", "olga"), ">orders.dead orders.events|event|payment_taken 1"},
		"a kind that cannot be shown":     {passage(bus.Sent, bus.Commands, "orders", "payments.|>x y", "", ""), ">orders commands payments.commands|command| 1"},
		"from nobody":                     {passage(bus.Sent, bus.Commands, "mallory", "payments.take_payment", "", ""), ""},
		"for nobody":                      {passage(bus.Sent, bus.Commands, "orders", "mallory.take_payment", "", ""), ">orders commands|command|take_payment 1"},
	} {
		tr := newTestTraffic()
		tr.pass([]bus.Passage{test.passage})
		got := tr.lines()
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		for _, p := range []picture{newWide(nil, tr.services), newTall(nil, tr.services)} {
			for _, key := range got {
				places := strings.Fields(strings.Split(key[1:], "|")[0])
				for i := range places[1:] {
					if way := places[i] + " " + places[i+1]; !slices.ContainsFunc(p.Ways, func(w track) bool { return w.Name == way && w.D != "" }) {
						t.Errorf("%s: the %s picture has no way %q", name, p.Class, way)
					}
				}
			}
		}
	}
}

func TestWhatConsumersTakeIsWhatCameAndIsNotThere(t *testing.T) {
	t.Parallel()
	command := passage(bus.Sent, bus.Commands, "orders", "payments.take_payment", "", "")
	taken := func(tr *traffic) int {
		moves, _, _ := tr.tell(time.Now())
		return moves[">payments.commands payments|command|"].times
	}
	look := func(tr *traffic, ready, consumers int) {
		tr.queues(map[string]bus.QueueState{"payments.commands": {Ready: ready, Consumers: consumers}, "payments.commands.dead": {Ready: 1}})
	}
	tr := newTestTraffic()
	for i, step := range []struct{ come, ready, consumers, taken int }{
		{0, 5, 1, 0},   // was there before the first look
		{0, 5, 1, 0},   //
		{3, 0, 1, 8},   // all were taken
		{4, 3, 0, 8},   // without a consumer, and the tap was quicker than the look at the queue
		{0, 4, 0, 8},   //
		{4, 9, 0, 8},   // one is in the queue, and the tap has not seen it yet
		{1, 9, 1, 8},   // now it has
		{0, 2, 1, 15},  //
		{2, 0, 1, 19},  //
		{0, 0, 1, 19},  // nothing happens
		{0, 30, 1, 19}, // the tap has missed thirty
		{0, 30, 1, 19}, // which stay
		{0, 0, 1, 49},  // and go
	} {
		for range step.come {
			tr.pass([]bus.Passage{command})
		}
		look(tr, step.ready, step.consumers)
		if got := taken(tr); got != step.taken {
			t.Errorf("step %d: %d were taken, want %d", i, got, step.taken)
		}
	}
	deaf := newTestTraffic() // without a tap
	for _, ready := range []int{0, 10, 20, 15, 15, 0} {
		look(deaf, ready, 1)
	}
	if got := taken(deaf); got != 20 {
		t.Errorf("without a tap: %d were taken, want those by which the queue became shorter", got)
	}
}

func TestCallsAreCountedFromTheMetricsOfTheCaller(t *testing.T) {
	t.Parallel()
	tr := newTestTraffic()
	replica := func(address, metrics string) health.Health {
		return health.Health{Program: health.Program{Name: "payments", Address: address}, Metrics: true, Samples: health.Samples([]byte(`client_breaker_open{replica="127.0.0.1:9",upstream="provider"} 0` + "\n" + metrics))}
	}
	calls := func(status string, n int) string {
		return fmt.Sprintf(`http_client_request_duration_seconds_count{http_request_method="POST",http_response_status_code="%s",server_address="127.0.0.1",server_port="9"} %d`+"\n", status, n)
	}
	for _, all := range [][]health.Health{
		{replica("a", calls("200", 1000))},                                                // before anybody has looked
		{replica("a", calls("200", 1002)), replica("b", calls("200", 500))},               // a replica that comes has a history, too
		{replica("b", calls("200", 501))},                                                 // one is away
		{replica("a", calls("200", 1010)+calls("503", 2)), replica("b", calls("200", 3))}, // it is back; the other one has begun anew
		{replica("a", calls("200", 1010)+calls("503", 2)+calls("", 3)), replica("b", calls("200", 4))},
	} {
		tr.programs(all)
	}
	if got := strings.Join(tr.lines(), ", "); got != ">payments provider|call| 12, >payments provider|failed| 3" {
		t.Errorf("%s", got)
	}
	gateway := func(n int) health.Health {
		return health.Health{Program: health.Program{Name: "gateway", Address: "g"}, Metrics: true, Samples: health.Samples([]byte(fmt.Sprintf(`http_server_request_duration_seconds_count{http_response_status_code="200"} %d`+"\n", n)))}
	}
	tr = newTestTraffic()
	tr.programs([]health.Health{gateway(5)})
	tr.programs([]health.Health{gateway(9)})
	if got := strings.Join(tr.lines(), ", "); got != ">browser gateway|call| 4" {
		t.Errorf("%s", got)
	}
}

func TestARateIsThatOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	tr, now := newTestTraffic(), time.Now()
	rate := func() float64 {
		now = now.Add(queuesEvery)
		_, _, rates := tr.tell(now)
		return rates["payments.commands"]
	}
	for range 20 {
		rate()
		tr.pass([]bus.Passage{passage(bus.Sent, bus.Commands, "orders", "payments.take_payment", "", "")})
	}
	if got := rate(); got < 1.8 || got > 2.2 {
		t.Errorf("two messages a second are %.2f", got)
	}
	for range rateSlots {
		rate()
	}
	if got := rate(); got != 0 {
		t.Errorf("when nothing comes: %.2f", got)
	}
}

func TestInventedKindsDoNotUseUpTheMemory(t *testing.T) {
	t.Parallel()
	tr := newTestTraffic()
	for i := range 3 * movesMost {
		kind := "payments.x" + strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i))
		tr.pass([]bus.Passage{passage(bus.Sent, bus.Commands, "orders", kind, "", "")})
	}
	if n := len(tr.moves); n != movesMost {
		t.Errorf("%d are kept", n)
	}
}

// What undoes something has its own colour. A new kind of that sort is easily forgotten.
func TestWhatIsSentWhileAnOrderIsCompensatedHasAnotherColour(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{messages.ReleaseStock{}.Kind(), messages.PaymentRefunded{}.Kind(), messages.OrderCancelled{}.Kind()} {
		if got := whatIs(passage(bus.Sent, bus.Events, "orders", kind, "", "")); got != "undo" {
			t.Errorf("%s is %s", kind, got)
		}
	}
	if got := whatIs(passage(bus.Delayed, "", "orders", messages.TakePayment{}.Kind(), "payments.commands", "")); got != "command" {
		t.Errorf("a command that comes again is %s", got)
	}
}
