package story

import (
	"fmt"
	"strings"
	"testing"

	"example.com/orderflow/pkg/bus"
)

func TestTheTapKeepsWhatHasPassedLatelyWithinItsBounds(t *testing.T) {
	t.Parallel()
	taps := NewTaps()
	taps.Joined(true)
	var seen int
	leave := taps.Watch(func(p []bus.Passage) { seen += len(p) })
	of := func(order string) func(*bus.Passage) { return func(p *bus.Passage) { p.Subject = order } }
	for i := range heardPassages + 5 {
		taps.Pass([]bus.Passage{passed(i, fmt.Sprint(i), "orders.order_status_changed", of("long"))})
	}
	if passages, more, since := taps.Of("long"); len(passages) != heardPassages || more != 5 || since.IsZero() {
		t.Errorf("%d passages, %d more, since %s", len(passages), more, since)
	}
	leave()
	big := func(p *bus.Passage) { p.Body = []byte(strings.Repeat("x", 10*heardBytes)) }
	for i := range 3 * heardOrders {
		taps.Pass([]bus.Passage{passed(i, fmt.Sprint(i), "orders.order_placed", of(fmt.Sprint("o-", i)), big), passed(i, "p", "inventory.product_changed", of("MUG"))})
	}
	if seen != heardPassages+5 {
		t.Errorf("a watcher that has left has seen %d", seen)
	}
	if passages, _, _ := taps.Of(fmt.Sprint("o-", 3*heardOrders-1)); len(passages) != 1 || len(passages[0].Body) > heardBytes+len("…") {
		t.Errorf("the last order has %d passages", len(passages))
	}
	for _, gone := range []string{"long", "o-0", "MUG"} {
		if passages, _, _ := taps.Of(gone); len(passages) != 0 {
			t.Errorf("%s is still known", gone)
		}
	}
	if len(taps.heard) != heardOrders || len(taps.oldest) != heardOrders || taps.size > heardMost {
		t.Errorf("%d orders, %d in line, %d bytes", len(taps.heard), len(taps.oldest), taps.size)
	}
	sum := 0
	for _, h := range taps.heard {
		sum += h.size
	}
	if sum != taps.size {
		t.Errorf("it counts %d bytes, and has %d", taps.size, sum)
	}
}
