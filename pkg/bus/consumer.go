package bus

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/wait"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	prefetch  = 500 // unacknowledged deliveries of a consumer, at most: this bounds its memory
	batchMost = 100
	holdFirst = 250 * time.Millisecond
	holdMax   = 5 * time.Second

	// idleLong is how long a session may bring nothing before it is replaced. After electing a new leader for a queue, a
	// broker may count messages as delivered that it never sent: they were lost with the old leader. When there are as many
	// of them as the prefetch, the broker waits for acknowledgements and the consumer for messages (seen with RabbitMQ
	// 3.10; https://github.com/rabbitmq/rabbitmq-server/issues/15473 is about a later version). The end of a session gives
	// them back.
	idleLong = 30 * time.Second
)

// Handler handles a batch of up to 100 deliveries and returns one instruction for each of them (see verdict.go). When ctx
// ends the program is stopping: the handler then finishes what it has begun, which may take some seconds, and returns Hold
// for the rest.
type Handler func(ctx context.Context, batch []Delivery) []error

// Consumer hands one queue's messages to a handler, a batch at a time. Several replicas compete for the same queue.
type Consumer struct {
	broker  *Broker
	queue   Queue
	moves   *Publisher // carries retries and dead letters
	handler Handler
	oldest  atomic.Int64 // when the oldest message in hand was sent, in ms since 1970; 0 while there is none
}

// NewConsumer returns a consumer of queue that consumes while Run runs.
func (b *Broker) NewConsumer(queue Queue, moves *Publisher, handler Handler) *Consumer {
	c := &Consumer{broker: b, queue: queue, moves: moves, handler: handler}
	observeAge(queue.Name(), c.age)
	b.meters.handles(queue)
	return c
}

// age returns how long ago the oldest message in hand was sent, and 0 while there is none. A queue delivers in order, so no
// message in the queue is older, except those that wait for a retry.
func (c *Consumer) age() time.Duration {
	sent := c.oldest.Load()
	if sent == 0 {
		return 0
	}
	return max(0, time.Since(time.UnixMilli(sent)))
}

// Run declares the queue and all that belongs to it, and consumes until ctx ends, in one session after another. A session
// that brings nothing for 30 s is replaced too. At the end Run finishes and acknowledges the batch in hand; the other
// deliveries that it holds go back to the queue. It always returns nil.
func (c *Consumer) Run(ctx context.Context) error {
	c.broker.keep(ctx, c.queue.Name(), c.consume)
	return nil
}

func (c *Consumer) consume(ctx context.Context, s *session) error {
	if err := c.queue.declare(s.ch); err != nil {
		return err
	}
	s.declare(c.broker.log, c.queue.ways()...)
	if err := s.ch.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	const tag = "" // the library makes a unique one
	deliveries, err := s.ch.ConsumeWithContext(s.lost, c.queue.Name(), tag, false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume %s: %w", c.queue.Name(), err)
	}
	s.works()
	h := &hand{session: s, missing: make(chan struct{}, 1)}
	go s.mend(c.broker.log, h.missing, append(c.queue.ways(), c.queue.declare)...)
	arrived := buffered(deliveries)
	for {
		waiting, enough := context.WithTimeout(ctx, h.nextTry())
		batch := next(waiting, arrived)
		over := waiting.Err() != nil
		enough()
		switch {
		case len(batch) > 0:
			err = c.process(ctx, h, batch)
		case !over:
			return s.ended()
		case ctx.Err() != nil || len(h.stuck) == 0:
			return nil //nolint:nilerr // told to stop, or idle
		}
		if err == nil {
			err = c.moveStuck(ctx, h)
		}
		if err != nil {
			return err
		}
	}
}

// buffered lets deliveries pile up. The library's channel has no buffer: without one, every batch would be one message.
func buffered(deliveries <-chan amqp.Delivery) <-chan amqp.Delivery {
	arrived := make(chan amqp.Delivery, prefetch)
	go func() {
		defer close(arrived)
		for d := range deliveries {
			arrived <- d // never waits: the broker sends at most prefetch
		}
	}()
	return arrived
}

// next waits for a delivery and returns it with the others that have arrived, up to batchMost. It returns none when ctx or
// the deliveries end.
func next(ctx context.Context, arrived <-chan amqp.Delivery) []Delivery {
	if ctx.Err() != nil {
		return nil
	}
	var batch []Delivery
	select {
	case d, ok := <-arrived:
		if !ok {
			return nil
		}
		batch = append(batch, received(d))
	case <-ctx.Done():
		return nil
	}
	for len(batch) < batchMost {
		select {
		case d, ok := <-arrived:
			if !ok {
				return batch
			}
			batch = append(batch, received(d))
		default:
			return batch
		}
	}
	return batch
}

// process gives a batch to the handler, again for as long as the handler holds it, and then settles it.
func (c *Consumer) process(ctx context.Context, h *hand, batch []Delivery) error {
	failpoint.At("bus.arrived")
	for i := range batch {
		batch[i].Queue = c.queue.Name()
	}
	c.oldest.Store(oldest(batch))
	defer c.oldest.Store(0)
	for delays := (wait.Backoff{First: holdFirst, Most: holdMax}); ; {
		begun := time.Now()
		errs := c.handler(ctx, batch)
		hold := held(errs)
		if hold == nil {
			return c.settle(ctx, h, batch, errs, time.Since(begun))
		}
		c.broker.log.WarnContext(ctx, "cannot work, holding messages", "queue", c.queue.Name(), "messages", len(batch), "error", hold)
		if err := rest(ctx, h.session, delays.Next()); err != nil {
			return err
		}
	}
}

// oldest returns when the oldest of some deliveries was sent, in ms since 1970, or 0 when none of them says: a message that
// was put into the queue by hand may have no such header.
func oldest(batch []Delivery) int64 {
	var sent int64
	for _, d := range batch {
		if at := moment(d.raw.Headers, headerSent); !at.IsZero() && (sent == 0 || at.UnixMilli() < sent) {
			sent = at.UnixMilli()
		}
	}
	return sent
}

// rest waits for d, or returns an error when ctx or the session ends before.
func rest(ctx context.Context, s *session, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.lost.Done():
		return context.Cause(s.lost)
	}
}
