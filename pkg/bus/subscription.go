package bus

import (
	"context"
	"crypto/rand"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Subscription gives every process a copy of each event of some kinds, from the moment it is connected: what a service
// must not miss goes through a Consumer. The queue belongs to one connection and goes with it, so whoever listens has to
// ask for what happened meanwhile, each time that it is connected anew.
type Subscription struct {
	broker *Broker
	kinds  []string
	hear   func([]Delivery)
	joined func(bool)
}

// subscriptionMost is what the broker keeps for a process that does not keep up; then the oldest go.
const subscriptionMost = 10_000

// NewSubscription returns a subscription to events of these kinds. While Run runs, joined is told when events begin to
// arrive and when they have ceased to, and hear is given what has arrived. Neither may wait for anything.
func (b *Broker) NewSubscription(kinds []string, hear func([]Delivery), joined func(bool)) *Subscription {
	return &Subscription{b, kinds, hear, joined}
}

// Run listens until ctx ends, in one session after another. It always returns nil.
func (s *Subscription) Run(ctx context.Context) error {
	s.broker.keep(ctx, "subscription", s.listen)
	return nil
}

func (s *Subscription) listen(ctx context.Context, on *session) error {
	name := s.broker.service + ".live." + rand.Text() // a name of the broker's making would be outside of what an account may use
	declare := func(ch *amqp.Channel) error { return s.declare(ch, name) }
	if err := declare(on.ch); err != nil {
		return err
	}
	if err := on.ch.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	deliveries, err := on.ch.ConsumeWithContext(on.lost, name, "", false, true, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", name, err)
	}
	on.works()
	go on.mend(s.broker.log, nil, declare)
	s.joined(true)
	defer s.joined(false)
	arrived := buffered(deliveries)
	for {
		batch := next(ctx, arrived)
		if len(batch) == 0 {
			if ctx.Err() != nil {
				return nil
			}
			return on.ended()
		}
		s.hear(batch)
		if err := ack(on, batch[len(batch)-1].raw.DeliveryTag, true); err != nil {
			return err
		}
	}
}

func (s *Subscription) declare(ch *amqp.Channel, name string) error {
	args := amqp.Table{"x-max-length": subscriptionMost, "x-overflow": "drop-head"}
	if _, err := ch.QueueDeclare(name, false, true, true, false, args); err != nil {
		return fmt.Errorf("declare queue %s: %w", name, err)
	}
	for _, kind := range s.kinds {
		if err := ch.QueueBind(name, kind, Events, false, nil); err != nil {
			return fmt.Errorf("bind %s to %s: %w", name, kind, err)
		}
	}
	return nil
}
