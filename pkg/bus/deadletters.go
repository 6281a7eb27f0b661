package bus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/wait"
	amqp "github.com/rabbitmq/amqp091-go"
)

// DeadLetter is a message that was given up, with the history of its failure.
type DeadLetter struct {
	Delivery
	Queue       string // in which it was given up
	Reason      string // rejected, exhausted, expired or delivery_limit
	Error       string // of the last attempt
	FirstFailed time.Time
	LastFailed  time.Time
}

// DeadLetters is the operator's access to the dead-letter queue of one queue. Each call has a connection of its own. When
// it closes, letters that were looked at and not acknowledged go back to their place, also when this program dies in the
// middle. While one call looks, another one sees an empty queue, so callers must hold a lock (pkg/deadletters). When a
// program is killed, its lock is free before the broker has its letters back; the next call waits for them (see settled).
type DeadLetters struct {
	broker *Broker
	queue  Queue
}

// searchMost is how many letters are looked at, from the head of the queue. It bounds the time and the memory of a call.
const searchMost = 10_000

// NewDeadLetters returns the access to the dead letters of queue.
func (b *Broker) NewDeadLetters(queue Queue) *DeadLetters { return &DeadLetters{b, queue} }

// Queue returns the name of the queue whose dead letters these are.
func (d *DeadLetters) Queue() string { return d.queue.Name() }

// Walk calls see for each dead letter: up to searchMost of them, or fewer when the broker is slow. It removes none and
// keeps none. It returns how many it has shown and how many there are. RabbitMQ takes the letters back afterwards; when
// there are thousands, their order may change.
func (d *DeadLetters) Walk(ctx context.Context, see func(DeadLetter)) (seen, total int, err error) {
	err = d.hold(ctx, func(s *looking) (err error) {
		total, err = s.bring(ctx, searchMost, func(l DeadLetter) bool {
			see(l)
			seen++
			return true
		})
		if err == nil && seen == 0 && total > 0 {
			return s.unreadable(context.DeadlineExceeded)
		}
		return err
	})
	return seen, total, err
}

// Find returns one dead letter and leaves it where it is. The error is NotFound when there is none with this id.
func (d *DeadLetters) Find(ctx context.Context, id string) (found DeadLetter, err error) {
	err = d.with(ctx, id, func(_ *looking, l DeadLetter) error {
		found = l
		return nil
	})
	return found, err
}

// Discard removes a dead letter for good, after before has returned nil; before writes down what is removed. The error is
// NotFound when there is none with this id.
func (d *DeadLetters) Discard(ctx context.Context, id string, before func(DeadLetter) error) error {
	return d.with(ctx, id, func(s *looking, l DeadLetter) error {
		if err := before(l); err != nil {
			return err
		}
		return s.take(ctx, l)
	})
}

// Replay puts a copy of a dead letter into its queue as a new message, after before has returned nil; before writes down
// what is replayed. The dead letter is removed once the broker has confirmed the copy. If Replay is interrupted in between,
// the message is in both places, and the inbox handles it once. The error is NotFound when there is none with this id.
func (d *DeadLetters) Replay(ctx context.Context, id, by string, before func(DeadLetter) error) error {
	return d.with(ctx, id, func(s *looking, l DeadLetter) error {
		if err := before(l); err != nil {
			return err
		}
		e := d.queue.copyOf(l.Delivery, d.queue.Name(), amqp.Table{headerReplayedBy: by, headerAttempt: 1})
		for _, story := range []string{headerFirstFailed, headerLastFailed, headerError, headerDeadReason, headerDeadQueue} {
			delete(e.Headers, story)
		}
		if err := s.ch.Confirm(false); err != nil {
			return fmt.Errorf("confirm mode: %w", err)
		}
		p := &publishing{session: s.session, returns: s.ch.NotifyReturn(make(chan amqp.Return, 1))}
		if err := p.publish(ctx, []envelope{e})[0]; err != nil {
			return fault.New(fault.Unavailable, "dead letter %s could not be replayed now and is still there", id).Because(err)
		}
		return s.take(ctx, l)
	})
}

// with runs use on the dead letter with this id.
func (d *DeadLetters) with(ctx context.Context, id string, use func(*looking, DeadLetter) error) error {
	return d.hold(ctx, func(s *looking) error {
		l, found, err := s.find(ctx, id)
		if err == nil && !found {
			err = fault.New(fault.NotFound, "no dead letter %s in %s", id, d.queue.Name())
		}
		if err != nil {
			return err
		}
		return use(s, l)
	})
}

// looking is a session in which dead letters are looked at.
type looking struct {
	*session
	queue Queue
	holds bool // it has letters that were not given back yet
}

// take removes a dead letter for good. RabbitMQ does not answer an acknowledgement, so take waits until it is applied.
func (s *looking) take(ctx context.Context, l DeadLetter) error {
	err := s.ch.Ack(l.raw.DeliveryTag, false)
	if err == nil {
		err = s.giveBack(ctx)
	}
	if err != nil {
		return fault.New(fault.Unavailable, "whether dead letter %s has been taken away is not known now", l.ID).Because(err)
	}
	return nil
}

// nearby is how many dead letters find gets one by one, before it consumes thousands at once.
const nearby = 50

// find looks for the dead letter with this id.
func (s *looking) find(ctx context.Context, id string) (l DeadLetter, found bool, err error) {
	for range nearby {
		raw, ok, err := s.ch.Get(s.queue.Dead(), false)
		if err != nil || !ok {
			return l, false, s.unreadable(err)
		}
		s.holds = true
		if l = s.queue.deadLetter(raw); l.ID == id {
			return l, true, nil
		}
	}
	_, err = s.bring(ctx, searchMost-nearby, func(next DeadLetter) bool {
		l, found = next, next.ID == id
		return !found
	})
	return l, found, err
}

// bringWithin is how long bring waits for letters: less than its callers' own limits.
const bringWithin = 2 * time.Second

// bring calls see with dead letters, until see returns false or has had as many as asked for, and returns how many there
// are. It consumes them with a prefetch of that number, because Get takes a round trip for each.
func (s *looking) bring(ctx context.Context, most int, see func(DeadLetter) bool) (total int, err error) {
	const name = "look"
	q, err := s.ch.QueueDeclarePassive(s.queue.Dead(), true, false, false, false, nil)
	if err != nil || q.Messages == 0 {
		return 0, s.unreadable(err)
	}
	if err := s.ch.Qos(most, 0, false); err != nil {
		return q.Messages, s.unreadable(err)
	}
	arriving, err := s.ch.ConsumeWithContext(ctx, s.queue.Dead(), name, false, false, false, false, nil)
	if err != nil {
		return q.Messages, s.unreadable(err)
	}
	s.holds = true
	enough := time.NewTimer(bringWithin)
	defer enough.Stop()
	for range min(q.Messages, most) {
		select {
		case raw, ok := <-arriving:
			if !ok {
				return q.Messages, s.unreadable(context.Cause(s.lost))
			}
			if see(s.queue.deadLetter(raw)) {
				continue
			}
		case <-enough.C:
		}
		break
	}
	return q.Messages, s.unreadable(s.ch.Cancel(name, false))
}

// unreadable returns the fault for a broker that does not show its dead letters; nil when err is nil.
func (s *looking) unreadable(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "%s cannot be read now", s.queue.Dead()).Because(err)
}

// hold runs use in a session in which dead letters can be looked at. Before use begins, and after it has ended, no client
// has one of them in hand.
func (d *DeadLetters) hold(ctx context.Context, use func(*looking) error) error {
	opened, err := d.broker.open(ctx, "operator")
	if err != nil {
		return fault.New(fault.Unavailable, "RabbitMQ cannot be asked now").Because(err)
	}
	s := &looking{session: opened, queue: d.queue}
	defer s.close()
	defer context.AfterFunc(ctx, s.close)() // Get takes no context
	defer s.giveBack(ctx)                   //nolint:errcheck // closing returns them too, a moment later
	for _, needed := range []declaration{d.queue.declare, d.queue.bindBack, d.queue.declareDead} {
		if err := needed(s.ch); err != nil {
			return fault.New(fault.Unavailable, "RabbitMQ cannot be asked now").Because(err)
		}
	}
	if err := s.settled(ctx); err != nil {
		return fault.New(fault.Unavailable, "somebody still has dead letters of %s in hand", d.queue.Name()).Because(err)
	}
	return use(s)
}

// giveBack returns the letters that were looked at, and waits until the queue has them, so that the next call sees all of
// them.
func (s *looking) giveBack(ctx context.Context) error {
	if !s.holds {
		return nil
	}
	s.holds = false
	if err := s.ch.Nack(0, true, true); err != nil { // tag 0: all that is outstanding
		return fmt.Errorf("give back: %w", err)
	}
	return s.settled(ctx)
}

const settledWithin = 4 * time.Second // less than the gateway waits for an answer

// settled waits until no client has a dead letter in hand. A quorum queue counts as a consumer each client that got a
// message and has not settled it. That ends when its acknowledgement is applied or, in the same step, all that it held is
// back in its place. So settled also shows that an acknowledgement has been applied, and that a killed program's letters
// can be seen again.
func (s *looking) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settledWithin)
	defer cancel()
	for {
		q, err := s.ch.QueueDeclarePassive(s.queue.Dead(), true, false, false, false, nil)
		switch {
		case err != nil:
			return fmt.Errorf("ask for consumers of %s: %w", s.queue.Dead(), err)
		case q.Consumers == 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%d letters of %s in hand: %w", q.Consumers, s.queue.Dead(), ctx.Err())
		}
		wait.For(ctx, 5*time.Millisecond)
	}
}

// deadLetter reads the history that move wrote into the headers or, for a message that the broker gave up itself, the
// broker's own.
func (q Queue) deadLetter(raw amqp.Delivery) DeadLetter {
	l := DeadLetter{
		Delivery:    received(raw),
		Queue:       q.Name(),
		Reason:      text(raw.Headers, headerDeadReason),
		Error:       text(raw.Headers, headerError),
		FirstFailed: moment(raw.Headers, headerFirstFailed),
		LastFailed:  moment(raw.Headers, headerLastFailed),
	}
	if l.ID == "" {
		l.ID = fmt.Sprintf("unnamed-%08x", checksum(raw.Body))
	}
	if l.Reason == "" {
		l.Reason, l.Error = deadCrashing, "the broker gave it up: its consumers kept disappearing while they held it"
		l.LastFailed = givenUp(raw.Headers)
	}
	l.Error = strings.ToValidUTF8(l.Error, "\uFFFD")
	return l
}

// givenUp returns when the broker itself gave a message up. The broker writes its latest dead-lettering in front of the
// earlier ones.
func givenUp(headers amqp.Table) (at time.Time) {
	if deaths, ok := headers["x-death"].([]any); ok && len(deaths) > 0 {
		if latest, ok := deaths[0].(amqp.Table); ok {
			at, _ = latest["time"].(time.Time)
		}
	}
	return at.UTC()
}
