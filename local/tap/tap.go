// Package tap is a wire tap in a terminal (Hohpe and Woolf, Enterprise Integration Patterns, 2003): it gets a copy of each
// message that passes an exchange on its way to a queue, also of retries and dead letters, and changes nothing about them.
// It knows nothing about the services: what it listens to is what is bound when it begins.
package tap

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/local/servers"
)

// Tap listens until Close.
type Tap struct {
	conn     *amqp.Connection
	bindings []servers.Binding
	arrived  <-chan amqp.Delivery
}

// Passage is a message that has passed an exchange.
type Passage struct {
	amqp.Delivery
	At     time.Time
	Queues []string // the services' queues that it goes to
}

// queueMost is how many messages the broker keeps for a reader that does not keep up; then it drops the oldest.
const queueMost = 100_000

// Open begins to listen to everything that is bound to the services' queues.
func Open(ctx context.Context, broker servers.Broker) (*Tap, error) {
	all, err := broker.Bindings(ctx)
	if err != nil {
		return nil, err
	}
	node, _, _ := strings.Cut(broker.URL, ",")
	conn, err := amqp.Dial(node)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	t := &Tap{conn: conn}
	if err := t.listen(all); err != nil {
		_ = conn.Close() // the first error says more
		return nil, fmt.Errorf("tap: %w", err)
	}
	return t, nil
}

func (t *Tap) listen(all []servers.Binding) error {
	ch, err := t.conn.Channel()
	if err != nil {
		return err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-max-length": queueMost, "x-overflow": "drop-head"})
	if err != nil {
		return err
	}
	for _, b := range all {
		if service, _, _ := strings.Cut(b.Queue, "."); !slices.Contains(servers.Services(), service) { // of a program that listens for a while
			continue
		}
		t.bindings = append(t.bindings, b)
		if err := ch.QueueBind(q.Name, b.Key, b.Exchange, false, nil); err != nil {
			return err
		}
	}
	t.arrived, err = ch.Consume(q.Name, "", true, true, false, false, nil)
	return err
}

// Next waits for the next message. It returns an error when ctx ends, or when the broker has closed the connection.
func (t *Tap) Next(ctx context.Context) (Passage, error) {
	select {
	case d, ok := <-t.arrived:
		if !ok {
			return Passage{}, fmt.Errorf("tap: %w", amqp.ErrClosed)
		}
		p := Passage{Delivery: d, At: time.Now()}
		for _, b := range t.bindings {
			if b.Exchange == d.Exchange && b.Key == d.RoutingKey {
				p.Queues = append(p.Queues, b.Queue)
			}
		}
		return p, nil
	case <-ctx.Done():
		return Passage{}, ctx.Err()
	}
}

// Close ends the tap. Its queue ends with it.
func (t *Tap) Close() error { return t.conn.Close() }

// String returns the passage as a line: when, what about, from where to where, which message, and why it is not the first
// attempt.
func (p Passage) String() string {
	from := p.AppId
	if failed, _, found := strings.Cut(p.Exchange, ".redelivery"); found { // a retry or a dead letter
		from = failed
	}
	line := fmt.Sprintf("%s  %-12s  %s → %s  %s", p.At.UTC().Format("15:04:05.000"), p.CorrelationId[max(0, len(p.CorrelationId)-12):],
		from, strings.Join(p.Queues, ", "), p.Type)
	if attempt, again := p.Headers["attempt"]; again {
		line += fmt.Sprintf("  attempt %v", attempt)
	}
	if why, failed := p.Headers["error"]; failed {
		line += fmt.Sprintf("  after: %v", why)
	}
	return line
}
