package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/tap"
)

var update = flag.Bool("update", false, "write the documents again that are drawn from a run")

// The sequence diagrams of the tour are drawn from two real orders, by the messages that pass RabbitMQ and the queues that they
// are routed to.
func TestTheSequencesOfTheTourAreThoseOfRealOrders(t *testing.T) {
	t.Parallel()
	s := together(t)
	wire := listen(t, s.Broker)
	c := stories.New(t, world(s))
	page := filepath.Join(repo, "docs", "tour.md")
	doc, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := string(doc)
	for _, story := range []struct {
		name string
		wish stories.Wish
		end  string
		last string // of the messages that a service handles
	}{
		{"delivered", stories.Wish{}, "delivered", "orders.order_completed"},
		{"compensated", stories.Wish{Postal: "00000"}, "cancelled", "inventory.stock_released"},
	} {
		story.wish.SKU = c.Product(5, 0, 0)
		id := c.Place(story.wish)
		if end := c.End(id).Status; end != story.end {
			t.Fatalf("the order is %s, want %s", end, story.end)
		}
		want = replaced(t, want, story.name, wire.draw(id, story.last))
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if string(doc) != want {
		t.Errorf("docs/tour.md draws other sequences than\n%s\ngo test ./e2e -run Sequences -args -update", want)
	}
}

// replaced puts a drawing between the marks of its name.
func replaced(t *testing.T, doc, name, drawing string) string {
	t.Helper()
	begin, end := "<!-- sequence "+name+": drawn by e2e/sequence_test.go -->\n", "<!-- end of sequence -->\n"
	before, rest, ok := strings.Cut(doc, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/tour.md has no place for the sequence %s", name)
	}
	return before + begin + drawing + end + after
}

// listener keeps the messages that pass, by order.
type listener struct {
	*testing.T
	*tap.Tap
	order map[string][]tap.Passage
}

func listen(t *testing.T, broker servers.Broker) *listener {
	t.Helper()
	w, err := tap.Open(t.Context(), broker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return &listener{t, w, map[string][]tap.Passage{}}
}

// passWithin bounds the wait for a message. It is long because the machines are slow and shared.
const passWithin = 90 * time.Second

// until takes what passes, until an order has what it should have.
func (w *listener) until(id string, has func(tap.Passage) bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), passWithin)
	defer cancel()
	for !slices.ContainsFunc(w.order[id], has) {
		p, err := w.Next(ctx)
		if err != nil {
			w.Fatal(err)
		}
		w.order[p.CorrelationId] = append(w.order[p.CorrelationId], p)
	}
}

// draw waits until an order's last message has passed, and draws all that have.
func (w *listener) draw(id, last string) string {
	w.Helper()
	w.until(id, func(p tap.Passage) bool { return p.Type == last })
	passed := w.order[id]
	slices.SortFunc(passed, func(a, b tap.Passage) int { return strings.Compare(a.MessageId, b.MessageId) }) // UUIDv7: as they came to be
	var b strings.Builder
	b.WriteString("```mermaid\nsequenceDiagram\n    participant gateway\n")
	for _, service := range []string{"orders", "inventory", "payments", "shipping"} {
		fmt.Fprintf(&b, "    participant %s\n", service)
	}
	b.WriteString("    gateway->>orders: POST /api/orders\n    orders-->>gateway: 202 Accepted\n")
	seen := map[string]bool{}
	for _, d := range passed {
		for _, kind := range stages(w, d) {
			for _, queue := range d.Queues {
				to, _, _ := strings.Cut(queue, ".")
				line := fmt.Sprintf("    %s-)%s: %s\n", d.AppId, to, kind)
				if !seen[line] { // asked again on a slow machine
					b.WriteString(line)
				}
				seen[line] = true
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// stages are the kinds of event that a message stands for. A parcel's stages that became known together are one message.
func stages(t testing.TB, d tap.Passage) (kinds []string) {
	t.Helper()
	if strings.HasPrefix(d.Type, "shipping.shipment_") {
		var change struct{ Earlier []struct{ Stage string } }
		if err := json.Unmarshal(d.Body, &change); err != nil {
			t.Fatal(err)
		}
		for _, earlier := range change.Earlier {
			kinds = append(kinds, "shipping.shipment_"+earlier.Stage)
		}
	}
	return append(kinds, d.Type)
}
