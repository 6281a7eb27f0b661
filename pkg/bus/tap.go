package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Tap is a wire tap (Hohpe and Woolf, Enterprise Integration Patterns, 2003): while it is wanted, the process gets a copy of
// each message that passes an exchange, also when it waits for a retry, comes back or is given up. It changes nothing about
// the messages. While it is not wanted, it has no connection and costs nothing. Messages that pass before it has joined are
// not seen, and a process that does not keep up misses the oldest (subscriptionMost).
type Tap struct {
	broker   *Broker
	bindings []bindings
	pass     func([]Passage)
	joined   func(bool)
	wish
}

// bindings are the routing keys of an exchange.
type bindings struct {
	exchange string
	keys     []string
}

// Passage is a message that has passed an exchange.
type Passage struct {
	Delivery
	At    time.Time // when it was seen
	Way   Way
	Queue string        // of which consumer it is; empty if it was Sent
	Wait  time.Duration // until it comes back, at most; only if it is Delayed
	Error string        // of the attempt that has failed; empty: none has
	Dead  string        // why it was given up; only if it is GivenUp
	By    string        // the operator who has replayed it; empty: it was not replayed
}

// Way is how a message passes.
type Way string

// The ways in which a message passes.
const (
	Sent    Way = "sent"     // by its sender, to all queues that are bound to its kind
	Delayed Way = "delayed"  // an attempt has failed: it goes to a retry queue
	Back    Way = "back"     // from a retry queue or a dead-letter queue to its queue
	GivenUp Way = "given up" // to the dead-letter queue
)

// NewTap returns a tap for the commands of these kinds, all events, and the retries and dead letters of these services. While
// Run runs and it is wanted, pass is called with the messages that have passed, and joined is called with true when they
// begin to come and with false when they stop. Neither may wait for anything.
func (b *Broker) NewTap(commands, services []string, pass func([]Passage), joined func(bool)) *Tap {
	t := &Tap{broker: b, pass: pass, joined: joined, wish: newWish(), bindings: []bindings{{Commands, commands}, {Events, []string{"#"}}}}
	for _, service := range services {
		own := bindings{exchange: redelivery(service)}
		for _, exchange := range []string{Commands, Events} {
			own.keys = append(own.keys, Queue{Service: service, Exchange: exchange}.Around()...)
		}
		t.bindings = append(t.bindings, own)
	}
	return t
}

// Run listens while the tap is wanted, until ctx ends. It always returns nil.
func (t *Tap) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if t.wanted.Load() {
			t.look(ctx)
			continue
		}
		select {
		case <-t.change:
		case <-ctx.Done():
		}
	}
	return nil
}

// look listens until ctx ends or the tap is not wanted any more.
func (t *Tap) look(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		for t.wanted.Load() && ctx.Err() == nil {
			select {
			case <-t.change:
			case <-ctx.Done():
			}
		}
	}()
	t.broker.keep(ctx, "tap", t.listen)
}

func (t *Tap) listen(ctx context.Context, s *session) error {
	name := t.broker.service + ".tap." + rand.Text()
	if err := declareOwn(s.ch, name); err != nil {
		return err
	}
	if err := s.ch.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	deliveries, err := s.ch.ConsumeWithContext(s.lost, name, "", false, true, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", name, err)
	}
	var all []declaration
	for _, b := range t.bindings {
		all = append(all, func(ch *amqp.Channel) error { return b.bind(ch, name) })
	}
	s.declare(t.broker.log, all...) // an exchange that no service has made yet is bound later
	s.works()
	go s.mend(t.broker.log, nil, all...)
	t.joined(true)
	defer t.joined(false)
	return s.drain(ctx, deliveries, func(batch []Delivery) {
		passed, now := make([]Passage, len(batch)), time.Now()
		for i, d := range batch {
			passed[i] = passage(d, now)
		}
		t.pass(passed)
	})
}

// bind waits for the answers about the first key, which says what is wrong, and the last one: the broker answers in order.
func (b bindings) bind(ch *amqp.Channel, queue string) error {
	for i, key := range b.keys {
		if err := ch.QueueBind(queue, key, b.exchange, i > 0 && i < len(b.keys)-1, nil); err != nil {
			return fmt.Errorf("bind %s to %s: %w", queue, b.exchange, err)
		}
	}
	return nil
}

// passage says how a message passes, by the exchange and the routing key.
func passage(d Delivery, now time.Time) Passage {
	p := Passage{Delivery: d, At: now, Way: Sent, Error: text(d.raw.Headers, headerError), By: text(d.raw.Headers, headerReplayedBy)}
	if at := moment(d.raw.Headers, "ce-time"); !at.IsZero() { // the property has whole seconds only
		p.Time = at
	}
	key := d.raw.RoutingKey
	if d.raw.Exchange == Commands || d.raw.Exchange == Events {
		p.Exchange = d.raw.Exchange
		return p
	}
	queue, tier, delayed := strings.Cut(key, ".retry.")
	queue, dead := strings.CutSuffix(queue, ".dead")
	p.Queue = queue
	switch {
	case delayed:
		p.Way = Delayed
		p.Wait, _ = time.ParseDuration(tier)
		if ms, err := strconv.Atoi(d.raw.Expiration); err == nil { // its own time is shorter than the queue's
			p.Wait = time.Duration(ms) * time.Millisecond
		}
	case dead:
		p.Way, p.Dead = GivenUp, text(d.raw.Headers, headerDeadReason)
	default:
		p.Way = Back
	}
	return p
}
