package messages

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/local/servers"
)

// Tap is a wire tap at a broker: it gets a copy of each message that passes an exchange of the services, also of retries and
// dead letters.
type Tap struct {
	conn *amqp.Connection
	ch   *amqp.Channel
	name string // of its queue
	end  string // the id of the message that ends it
	done chan error
}

const (
	queueMost   = 100_000          // messages that the broker keeps for a tap that does not keep up; then it drops the oldest
	boundWithin = 30 * time.Second // the time until the services have declared their queues
	endWithin   = 30 * time.Second // the time to read what has passed until the end
)

// Listen begins to note what passes a broker. It first waits until the services' queues are bound as the document says; its
// error says what differs. Messages that pass before it returns may be missed.
func (r *Record) Listen(ctx context.Context, broker servers.Broker) (*Tap, error) {
	bindings, err := r.bound(ctx, broker)
	if err != nil {
		return nil, err
	}
	node, _, _ := strings.Cut(broker.URL, ",")
	t := &Tap{name: "contract." + rand.Text(), end: rand.Text(), done: make(chan error, 1)}
	if t.conn, err = amqp.Dial(node); err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	arrived, err := t.listen(bindings)
	if err != nil {
		_ = t.conn.Close() // the first error says more
		return nil, fmt.Errorf("tap: %w", err)
	}
	go func() {
		for d := range arrived {
			if d.MessageId == t.end {
				t.done <- nil
				return
			}
			r.note(d)
		}
		t.done <- errors.New("tap: the connection has ended, and messages were missed")
	}()
	return t, nil
}

func (t *Tap) listen(bindings []servers.Binding) (<-chan amqp.Delivery, error) {
	var err error
	if t.ch, err = t.conn.Channel(); err != nil {
		return nil, err
	}
	if _, err := t.ch.QueueDeclare(t.name, false, true, true, false, amqp.Table{"x-max-length": queueMost, "x-overflow": "drop-head"}); err != nil {
		return nil, err
	}
	if err := t.ch.QueueBind(t.name, "#", "orderflow.events", false, nil); err != nil {
		return nil, err
	}
	for _, b := range bindings {
		if err := t.ch.QueueBind(t.name, b.Key, b.Exchange, false, nil); err != nil {
			return nil, err
		}
	}
	return t.ch.Consume(t.name, "", true, true, false, false, nil)
}

// Close ends the tap after it has noted everything that has passed until now. It returns an error if it may have missed
// something.
func (t *Tap) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	err := t.ch.PublishWithContext(ctx, "", t.name, false, false, amqp.Publishing{MessageId: t.end})
	select {
	case ended := <-t.done:
		err = errors.Join(err, ended)
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("tap: %w", ctx.Err()))
	}
	return errors.Join(err, t.conn.Close())
}

// bound waits until the queues of the services are bound to exactly the kinds that they receive. It returns the bindings of
// all their queues.
func (r *Record) bound(ctx context.Context, broker servers.Broker) ([]servers.Binding, error) {
	ctx, cancel := context.WithTimeout(ctx, boundWithin)
	defer cancel()
	want := map[string][]string{}
	exchanges := []string{}
	for _, channel := range r.document.Channels {
		if name := channel.Value.Bindings.AMQP.Exchange.Name; name != "" {
			exchanges = append(exchanges, name)
		}
	}
	for _, service := range servers.Services() {
		maps.Copy(want, r.document.Received(service))
	}
	for {
		all, err := broker.Bindings(ctx)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(b servers.Binding) bool { // those of programs that listen for a while
			service, _, _ := strings.Cut(b.Queue, ".")
			return !slices.Contains(servers.Services(), service)
		})
		is := map[string][]string{}
		for _, b := range all {
			if slices.Contains(exchanges, b.Exchange) {
				is[b.Queue] = append(is[b.Queue], b.Key)
			}
		}
		for _, kinds := range is {
			slices.Sort(kinds)
		}
		if maps.EqualFunc(is, want, slices.Equal) {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the queues are bound to %v, and asyncapi.yaml says %v", is, want)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
