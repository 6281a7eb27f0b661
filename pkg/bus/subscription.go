package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Subscription gives every process a copy of each event of some kinds, while it wants them and is connected. Events that a
// service must not miss need a Consumer instead. The queue belongs to one connection and is deleted with it: each time that
// a process is told that events arrive, it has to ask for what happened before. While a process wants no events, its queue
// is bound to nothing: the broker sends it none, and none has to be decoded.
type Subscription struct {
	broker  *Broker
	kinds   []string
	receive func([]Delivery)
	joined  func(bool)
	wish
}

// wish says whether something is wanted, and wakes what serves it.
type wish struct {
	wanted atomic.Bool
	change chan struct{} // wanted may have changed
}

func newWish() wish { return wish{change: make(chan struct{}, 1)} }

// Want says whether it is wanted from now on. It returns at once; joined is called when the change is made.
func (w *wish) Want(wanted bool) {
	if w.wanted.Swap(wanted) == wanted {
		return
	}
	select {
	case w.change <- struct{}{}:
	default: // a change is pending already
	}
}

// subscriptionMost is how many events the broker keeps for a process that does not keep up; then it drops the oldest.
const subscriptionMost = 10_000

// NewSubscription returns a subscription to events of these kinds; none are wanted yet. While Run runs, joined is called
// with true when events begin to arrive and with false when they stop, and receive is called with those that have arrived.
// Neither may wait for anything.
func (b *Broker) NewSubscription(kinds []string, receive func([]Delivery), joined func(bool)) *Subscription {
	return &Subscription{broker: b, kinds: kinds, receive: receive, joined: joined, wish: newWish()}
}

// Run listens until ctx ends, in one session after another. It always returns nil.
func (s *Subscription) Run(ctx context.Context) error {
	s.broker.keep(ctx, "subscription", s.listen)
	return nil
}

func (s *Subscription) listen(ctx context.Context, on *session) error {
	name := s.broker.service + ".live." + rand.Text() // an account may not use a name that the broker makes
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
	bound, unbind := context.WithCancel(on.lost)
	var binding sync.WaitGroup
	binding.Go(func() { s.attend(bound, on.ch, name) })
	defer binding.Wait()
	defer unbind()
	return on.drain(ctx, deliveries, s.receive)
}

// drain gives deliveries to receive, which keeps none back, until ctx or the session ends.
func (s *session) drain(ctx context.Context, deliveries <-chan amqp.Delivery, receive func([]Delivery)) error {
	arrived := buffered(deliveries)
	for {
		batch := next(ctx, arrived)
		if len(batch) == 0 {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // told to stop
			}
			return s.ended()
		}
		receive(batch)
		if err := ack(s, batch[len(batch)-1].raw.DeliveryTag, true); err != nil {
			return err
		}
	}
}

// attend binds the queue while the events are wanted, until ctx ends.
func (s *Subscription) attend(ctx context.Context, ch *amqp.Channel, name string) {
	bound := false
	defer func() {
		if bound {
			s.joined(false)
		}
	}()
	for {
		if wanted := s.wanted.Load(); wanted != bound {
			if s.bind(ch, name, wanted) != nil {
				return // the broker has closed the channel, and the session ends
			}
			bound = wanted
			s.joined(bound)
		}
		select {
		case <-s.change:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Subscription) declare(ch *amqp.Channel, name string) error {
	if err := declareOwn(ch, name); err != nil {
		return err
	}
	if !s.wanted.Load() {
		return nil
	}
	return s.bind(ch, name, true)
}

// declareOwn makes a queue that belongs to its connection.
func declareOwn(ch *amqp.Channel, name string) error {
	args := amqp.Table{"x-max-length": subscriptionMost, "x-overflow": "drop-head"}
	if _, err := ch.QueueDeclare(name, false, true, true, false, args); err != nil {
		return fmt.Errorf("declare queue %s: %w", name, err)
	}
	return nil
}

func (s *Subscription) bind(ch *amqp.Channel, name string, wanted bool) error {
	for _, kind := range s.kinds {
		var err error
		if wanted {
			err = ch.QueueBind(name, kind, Events, false, nil)
		} else {
			err = ch.QueueUnbind(name, kind, Events, nil)
		}
		if err != nil {
			return fmt.Errorf("bind %s to %s (%t): %w", name, kind, wanted, err)
		}
	}
	return nil
}
