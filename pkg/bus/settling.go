package bus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/telemetry"
)

// hand is what a consumer holds in one session.
type hand struct {
	*session
	stuck   []transfer // not acknowledged, because the broker does not take their copies; in the order of their tags
	due     time.Time  // when they are tried again
	wait    time.Duration
	missing chan struct{} // told when a queue that they go to may be missing
}

// transfer is a delivery that has to go elsewhere.
type transfer struct {
	copied envelope
	tag    uint64
}

// settle publishes copies of the deliveries that failed, to a retry queue or the dead-letter queue, and acknowledges those
// that are done or moved. A delivery is acknowledged only after the broker has confirmed its copy: a message can be in two
// places for a moment, never in none. A delivery that cannot be moved stays in hand and stops no other, until there are as
// many of them as the prefetch.
func (c *Consumer) settle(ctx context.Context, h *hand, batch []Delivery, errs []error, took time.Duration) error {
	c.broker.meters.handleBatch.Measure(ctx, float64(len(batch)), c.queue.Name())
	var moves []transfer
	tags := make([]uint64, len(batch))
	for i, err := range errs {
		outcome := outcomeDone
		tags[i] = batch[i].raw.DeliveryTag
		if err != nil {
			var e envelope
			e, outcome = c.queue.move(batch[i], err, time.Now())
			moves = append(moves, transfer{e, tags[i]})
			c.broker.log.WarnContext(ctx, "message not handled", "outcome", outcome, "queue", c.queue.Name(), "kind", batch[i].Kind,
				"message_id", batch[i].ID, "subject", batch[i].Subject, "attempt", batch[i].Attempt, "error", err)
		}
		c.broker.meters.handled(telemetry.Sampled(ctx, batch[i].TraceParent, batch[i].TraceState), c.queue.Name(), batch[i].Kind, outcome, took)
	}
	if len(moves) > 0 {
		failpoint.At("bus.failed")
	}
	if left := c.move(ctx, moves); len(left) > 0 {
		if len(h.stuck) == 0 {
			h.postpone(holdFirst)
		}
		h.stuck = append(h.stuck, left...)
	}
	failpoint.At("bus.settled")
	if err := h.acknowledge(tags); err != nil {
		return err
	}
	failpoint.At("bus.acked")
	return nil
}

// moveStuck tries again to move what is stuck, when it is time to.
func (c *Consumer) moveStuck(ctx context.Context, h *hand) error {
	if len(h.stuck) == 0 || time.Now().Before(h.due) {
		return nil
	}
	tags := make([]uint64, len(h.stuck))
	for i, f := range h.stuck {
		tags[i] = f.tag
	}
	if h.stuck = c.move(ctx, h.stuck); len(h.stuck) > 0 {
		h.postpone(min(2*h.wait, holdMax))
	}
	return h.acknowledge(tags)
}

// move publishes copies and returns those that the broker has not taken.
func (c *Consumer) move(ctx context.Context, all []transfer) (left []transfer) {
	var last error
	for part := range slices.Chunk(all, MaxBatch) {
		copies := make([]envelope, len(part))
		for i, f := range part {
			copies[i] = f.copied
		}
		for i, err := range c.moves.send(context.WithoutCancel(ctx), copies) {
			if err != nil {
				left, last = append(left, part[i]), err
			}
		}
	}
	if len(left) > 0 {
		c.broker.log.WarnContext(ctx, "cannot move failed messages, holding them", "queue", c.queue.Name(), "messages", len(left), "error", last)
	}
	return left
}

// nextTry returns how long to wait for deliveries before something else has to be done.
func (h *hand) nextTry() time.Duration {
	if len(h.stuck) > 0 {
		return max(0, time.Until(h.due))
	}
	return idleLong
}

// postpone sets when the stuck deliveries are tried again. Meanwhile everything is declared again, as a queue may have been
// removed.
func (h *hand) postpone(wait time.Duration) {
	h.wait, h.due = wait, time.Now().Add(wait)
	select {
	case h.missing <- struct{}{}:
	default: // it was told already
	}
}

// acknowledge acknowledges the deliveries with these tags, which rise, except those that are stuck.
func (h *hand) acknowledge(tags []uint64) error {
	if len(h.stuck) == 0 {
		return ack(h.session, tags[len(tags)-1], true)
	}
	for _, tag := range tags {
		if slices.ContainsFunc(h.stuck, func(f transfer) bool { return f.tag == tag }) {
			continue
		}
		if err := ack(h.session, tag, false); err != nil {
			return err
		}
	}
	return nil
}

func ack(s *session, tag uint64, andAllBefore bool) error {
	if err := s.ch.Ack(tag, andAllBefore); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}
