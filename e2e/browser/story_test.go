package browser

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/tap"
)

// The page behind an order shows each message. A shopper sees the own order's, with nothing about failures in it that is
// internal; an operator sees everybody's.
func TestBehindAnOrderItsMessagesAreSeen(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/")
	p.buy("", "tok_visa")
	p.becomes("Delivered")
	for _, label := range []string{"POST /api/orders", "reserve_stock", "stock_reserved", "take_payment", "payment_taken", "arrange_shipment", "shipment_delivered", "order_completed"} {
		p.holds(label+" is drawn", drawn(label))
	}
	if n := p.count("#story .gap"); n != 0 {
		t.Errorf("it says that something is missing: %s", p.text("#story"))
	}
	p.press("Every message in full")
	p.holds("the details of a message can be opened", `(() => { const d = [...document.querySelectorAll(".steps details")].find((d) => d.textContent.includes("take_payment")); d.open = true; return d.textContent.includes('"method": "tok_visa"') && d.textContent.includes("Trace id"); })()`)
	order := p.path()

	other := open(t, phone)
	other.signIn("Bob", order)
	other.sees("There is nothing here")
	other.forgive("404")

	olga := open(t, wide)
	olga.signIn("Olga", order)
	olga.sees("Behind order")
}

func TestACompensationIsSeen(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/")
	p.buy("", "tok_declined")
	p.becomes("Cancelled")
	for _, label := range []string{"payment_declined", "release_stock", "stock_released"} {
		p.holds(label+" is drawn", drawn(label))
	}
	if n := p.count("#story .step.back.command"); n != 1 {
		t.Errorf("%d commands are shown as compensation", n)
	}
}

// drawn is an expression that is true if the diagram has a step with this label.
func drawn(label string) string {
	return `[...document.querySelectorAll("#story .step .label")].some((l) => l.textContent === "` + label + `")`
}

// What the page shows is what RabbitMQ has carried, message by message: also messages that come twice, and those that wait for a
// retry. The test listens to RabbitMQ itself, and sends some messages again.
func TestTheStoryIsWhatTheBrokerHasCarried(t *testing.T) {
	t.Parallel()
	c := stories.New(t, stories.World{Gateway: world.GatewayURL, Simulator: world.SimulatorURL})
	olga := open(t, wide)
	olga.signIn("Olga", "/orders/"+c.Place(stories.Wish{SKU: c.Product(5, 0, 0)})+"/messages")
	wire := carried(t)
	orders := map[string]string{}
	for _, wish := range []stories.Wish{{}, {}, {Card: "tok_declined"}, {Postal: "00000"}, {}} {
		wish.SKU = c.Product(5, 0, 0)
		id := c.Place(wish)
		orders[id] = ""
	}
	for id := range orders {
		c.End(id)
	}
	for id := range orders {
		olga.visit("/orders/" + id + "/messages")
		olga.until("the page shows what was carried", func() bool {
			want := wire.of(id)
			orders[id] = get(olga, chromedp.Evaluate[string](shown))
			return orders[id] == want
		})
		if !strings.Contains(orders[id], "moved ") {
			t.Errorf("nothing of %s was sent again: %s", id, orders[id])
		}
	}
}

// shown lists the messages on a page behind an order that go to a service, in any order: how they passed, and their ids.
const shown = `[...document.querySelectorAll(".steps li")].filter((s) => s.querySelector("pre") && !s.querySelector("summary").textContent.includes("→ bff-web:"))
	.map((s) => (s.matches(".retry, .dead") ? "moved " : "sent ") + [...s.querySelectorAll("dt")].find((d) => d.textContent === "Message id").nextElementSibling.textContent).sort().join("\n")`

// carrying keeps what RabbitMQ has carried, by order.
type carrying struct {
	mu     sync.Mutex
	orders map[string][]string
}

// carried listens to RabbitMQ until the test ends. It sends the first message of each order to each service twice more: once as
// its sender, and once as a service does that tries again later.
func carried(t *testing.T) *carrying {
	t.Helper()
	wire, err := tap.Open(t.Context(), world.Broker)
	if err != nil {
		t.Fatal(err)
	}
	ch := stories.Channel(t, stories.Dial(t, world.Broker.URL))
	w := &carrying{orders: map[string][]string{}}
	again := map[string]bool{}
	var listening sync.WaitGroup
	t.Cleanup(listening.Wait)
	t.Cleanup(func() { _ = wire.Close() })
	listening.Go(func() {
		for {
			p, err := wire.Next(context.Background())
			if err != nil {
				return
			}
			how := "sent "
			if strings.HasSuffix(p.Exchange, ".redelivery") {
				how = "moved "
			}
			w.mu.Lock()
			w.orders[p.CorrelationId] = append(w.orders[p.CorrelationId], how+p.MessageId)
			w.mu.Unlock()
			if key := p.CorrelationId + p.Queues[0]; !again[key] {
				again[key] = true
				copied := amqp.Publishing{
					MessageId: p.MessageId, Type: p.Type, CorrelationId: p.CorrelationId, AppId: p.AppId, Timestamp: p.Timestamp,
					ContentType: p.ContentType, Headers: p.Headers, Body: p.Body, DeliveryMode: amqp.Persistent,
				}
				service, _, _ := strings.Cut(p.Queues[0], ".")
				if ch.Publish(p.Exchange, p.RoutingKey, false, false, copied) != nil || ch.Publish(service+".redelivery", p.Queues[0]+".retry.500ms", false, false, copied) != nil {
					t.Error("a message could not be sent again")
				}
			}
		}
	})
	return w
}

func (w *carrying) of(order string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(w.orders[order])), "\n")
}
