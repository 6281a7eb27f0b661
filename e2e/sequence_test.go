package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/servers"
)

var update = flag.Bool("update", false, "write the documents again that are drawn from a run")

// The sequence diagrams of the tour are drawn from two real orders, by the messages that pass RabbitMQ and the queues that they
// are routed to.
func TestTheSequencesOfTheTourAreThoseOfRealOrders(t *testing.T) {
	t.Parallel()
	s := together(t)
	tap := newTap(t, s.Broker)
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
		want = replaced(t, want, story.name, tap.draw(id, story.last))
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

// tap gets a copy of every message (the wire tap of Hohpe and Woolf, Enterprise Integration Patterns, 2003).
type tap struct {
	*testing.T
	ch        *amqp.Channel
	queue     string
	receivers map[string][]string // services by the kind of the message
	order     map[string][]amqp.Delivery
}

func newTap(t *testing.T, broker servers.Broker) *tap {
	t.Helper()
	w := &tap{T: t, ch: stories.Channel(t, stories.Dial(t, broker.URL)), receivers: map[string][]string{}, order: map[string][]amqp.Delivery{}}
	q, err := w.ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.queue = q.Name
	for _, exchange := range []string{"orderflow.commands", "orderflow.events"} {
		for _, b := range bindings(t, broker, exchange) {
			service, _, durable := strings.Cut(b.Destination, ".")
			if !durable || !slices.Contains(servers.Services(), service) { // of a program that only listens for a while
				continue
			}
			w.receivers[b.Key] = append(w.receivers[b.Key], service)
			if err := w.ch.QueueBind(q.Name, b.Key, exchange, false, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

type binding struct {
	Destination string `json:"destination"` // a queue, or an exchange of a service
	Key         string `json:"routing_key"`
}

func bindings(t *testing.T, broker servers.Broker, exchange string) (all []binding) {
	t.Helper()
	at, err := url.Parse(broker.Management)
	if err != nil {
		t.Fatal(err)
	}
	at = at.JoinPath("api", "exchanges")
	a, err := stories.Send(t.Context(), http.MethodGet, at.String()+"/%2F/"+exchange+"/bindings/source", "")
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("bindings of %s: %d %s, %v", exchange, a.Status, a.Body, err)
	}
	a.Into(t, &all)
	return all
}

// draw waits until an order's last message has passed, and draws all that have.
func (w *tap) draw(id, last string) string {
	w.Helper()
	stories.Until(w, "its last message has passed", func() bool {
		for {
			d, ok, err := w.ch.Get(w.queue, true)
			if err != nil {
				w.Fatal(err)
			}
			if !ok {
				return slices.ContainsFunc(w.order[id], func(d amqp.Delivery) bool { return d.Type == last })
			}
			w.order[d.CorrelationId] = append(w.order[d.CorrelationId], d)
		}
	})
	passed := w.order[id]
	slices.SortFunc(passed, func(a, b amqp.Delivery) int { return strings.Compare(a.MessageId, b.MessageId) }) // UUIDv7: as they came to be
	var b strings.Builder
	b.WriteString("```mermaid\nsequenceDiagram\n    participant gateway\n")
	for _, service := range []string{"orders", "inventory", "payments", "shipping"} {
		fmt.Fprintf(&b, "    participant %s\n", service)
	}
	b.WriteString("    gateway->>orders: POST /api/orders\n    orders-->>gateway: 202 Accepted\n")
	seen := map[string]bool{}
	for _, d := range passed {
		for _, kind := range stages(w, d) {
			for _, to := range w.receivers[kind] {
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
func stages(t testing.TB, d amqp.Delivery) (kinds []string) {
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
