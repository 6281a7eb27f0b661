package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/failpoint"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// MaxBatch is the most messages that Publish takes at once. It is below the size of the return buffer, so that the
	// library can always hand over a returned message without waiting.
	MaxBatch       = 200
	returnBuffer   = 256
	confirmTimeout = 10 * time.Second
	// refusedLong is how old a session may be when a message is refused in it; an older one is replaced. A node that has
	// lost another node may go on refusing messages of a channel although their queue has a new leader: it remembers for
	// each channel where the leader was (seen with RabbitMQ 3.10).
	refusedLong = 5 * time.Second
)

// Publisher publishes with confirms on a connection of its own, because a broker short of memory or disk stops reading
// from connections that publish.
type Publisher struct {
	broker *Broker

	mu      sync.Mutex                 // one batch at a time, so that returns belong to the batch in hand
	current atomic.Pointer[publishing] // nil while there is no session
}

type publishing struct {
	*session
	begun   time.Time
	returns chan amqp.Return
	blocked atomic.Bool
}

// errRefused reports that the broker does not take a message, without saying why.
var errRefused = errors.New("refused by the broker")

// ErrSuspect is an ErrUnavailable: the broker has closed the channel over one message of a batch, because its exchange is
// missing or may not be published to. The broker does not say which message it was. Publish each message alone: that one is
// then refused, with the reason.
var ErrSuspect = fmt.Errorf("%w: the channel was closed over one of the messages", ErrUnavailable)

var errForbidden = errors.New("the broker does not allow it")

// lostWithin is how long to wait for the reason after a channel has closed.
const lostWithin = time.Second

// overMessage returns why the broker has closed the channel, if the reason was a message, and nil otherwise.
func (s *publishing) overMessage() error {
	if !s.ch.IsClosed() {
		return nil
	}
	select {
	case <-s.lost.Done():
	case <-time.After(lostWithin):
	}
	return overMessage(context.Cause(s.lost))
}

// overMessage returns the broker's reason if it has ended a session over a message, and nil if it was over anything else.
func overMessage(cause error) error {
	why, ok := errors.AsType[*amqp.Error](cause)
	if ok && errors.Is(cause, errChannelClosed) && slices.Contains([]int{amqp.AccessRefused, amqp.NotFound, amqp.PreconditionFailed}, why.Code) {
		return why
	}
	return nil
}

// envelope is a message on its way to an exchange.
type envelope struct {
	exchange, key string
	mandatory     bool
	amqp.Publishing
}

// NewPublisher returns a publisher that has a session while Run runs.
func (b *Broker) NewPublisher() *Publisher {
	return &Publisher{broker: b}
}

// Run keeps a session until ctx ends. It always returns nil: losing the broker is no reason to stop.
func (p *Publisher) Run(ctx context.Context) error {
	p.broker.keep(ctx, "publisher", p.hold)
	return nil
}

// hold makes the session available to Publish until it or ctx ends.
func (p *Publisher) hold(ctx context.Context, s *session) error {
	if err := declareExchanges(s.ch); err != nil {
		return err
	}
	if err := s.ch.Confirm(false); err != nil {
		return fmt.Errorf("confirm mode: %w", err)
	}
	now := &publishing{session: s, begun: time.Now(), returns: s.ch.NotifyReturn(make(chan amqp.Return, returnBuffer))}
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	p.current.Store(now)
	defer p.current.Store(nil)
	s.works()
	for {
		select {
		case b, open := <-blocked:
			if !open { // it closes with the connection, and then s.lost ends
				blocked = nil
				continue
			}
			now.blocked.Store(b.Active)
			p.broker.log.Log(ctx, levelOf(b.Active), "RabbitMQ flow", "blocked", b.Active, "reason", b.Reason)
		case <-s.lost.Done():
			if cause := context.Cause(s.lost); errors.Is(cause, errRefused) || overMessage(cause) != nil {
				return nil // the broker is well: the next session is opened without a pause
			}
			return context.Cause(s.lost)
		case <-ctx.Done():
			p.mu.Lock() // let the batch in hand finish
			defer p.mu.Unlock()
			return nil
		}
	}
}

// Publish sends up to MaxBatch messages and waits for the broker's answer to each, at most 10 seconds in all. The i-th
// error belongs to the i-th message: nil means that the message is confirmed and a queue has taken it (a notification needs
// no queue), ErrUnavailable that the broker was not asked or did not answer, any other error that it refused the message.
func (p *Publisher) Publish(ctx context.Context, batch []Message) []error {
	out := make([]envelope, len(batch))
	for i, m := range batch {
		out[i] = envelope{m.Exchange, m.Kind, m.Mandatory, m.publishing()}
	}
	return p.send(ctx, out)
}

func (p *Publisher) send(ctx context.Context, batch []envelope) []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.current.Load()
	switch {
	case s == nil:
		return all(len(batch), fmt.Errorf("%w: no session", ErrUnavailable))
	case s.blocked.Load():
		return all(len(batch), fmt.Errorf("%w: blocked by an alarm", ErrUnavailable))
	case len(batch) > MaxBatch:
		return all(len(batch), fmt.Errorf("batch of %d messages, at most %d", len(batch), MaxBatch))
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	// The library's write ignores its context. When the broker stops reading and the time is up, only closing the
	// connection ends the write; the session is then replaced. When the broker has said that it is blocked, the connection
	// is kept.
	unstick := context.AfterFunc(ctx, func() {
		if !s.blocked.Load() {
			s.stop(fmt.Errorf("publish: %w", context.Cause(ctx)))
			_ = s.conn.CloseDeadline(time.Now().Add(closeTimeout))
		}
	})
	begun := time.Now()
	errs := s.publish(ctx, batch)
	unstick()
	p.broker.meters.published(ctx, batch, errs, time.Since(begun))
	for _, err := range errs {
		if errors.Is(err, errRefused) && time.Since(s.begun) > refusedLong {
			s.stop(fmt.Errorf("another session may be heard: %w", err))
		}
	}
	return errs
}

func (s *publishing) publish(ctx context.Context, batch []envelope) []error {
	s.takeReturns() // those of an earlier batch that had stopped waiting
	errs := make([]error, len(batch))
	confirms := make([]*amqp.DeferredConfirmation, len(batch))
	s.pipe.hold()
	for i, e := range batch {
		if err := s.lost.Err(); err != nil {
			errs[i] = fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(s.lost))
			continue
		}
		e.Headers[headerSent] = stamp(time.Now())
		c, err := s.ch.PublishWithDeferredConfirmWithContext(ctx, e.exchange, e.key, e.mandatory, false, e.Publishing)
		if err != nil {
			errs[i] = fmt.Errorf("%w: %w", ErrUnavailable, err)
			continue
		}
		confirms[i] = c
	}
	if err := s.pipe.release(); err != nil { // then the session ends, and with it the wait for confirms
		s.stop(fmt.Errorf("publish: %w", err))
		_ = s.conn.CloseDeadline(time.Now().Add(closeTimeout))
	}
	failpoint.At("bus.published")
	for i, c := range confirms {
		if c == nil {
			continue
		}
		switch acked, err := c.WaitContext(ctx); {
		case err != nil:
			errs[i] = fmt.Errorf("%w: no confirm: %w", ErrUnavailable, err)
		case !acked && s.ch.IsClosed(): // the library resolves what is pending when the channel closes
			errs[i] = fmt.Errorf("%w: channel closed before the confirm", ErrUnavailable)
		case !acked:
			errs[i] = fmt.Errorf("%w: a queue for %s is full or down", errRefused, batch[i].key)
		}
	}
	if why := s.overMessage(); why != nil {
		for i := range errs {
			switch {
			case !errors.Is(errs[i], ErrUnavailable):
			case len(batch) == 1:
				errs[i] = fmt.Errorf("%w: %w", errForbidden, why)
			default:
				errs[i] = fmt.Errorf("%w: %w", ErrSuspect, why)
			}
		}
	}
	// RabbitMQ sends the return of a message before its confirm, so all returns of this batch are in the buffer by now.
	returned := s.takeReturns()
	for i, e := range batch {
		if r, ok := returned[e.MessageId]; ok && errs[i] == nil {
			errs[i] = fmt.Errorf("unroutable: no queue takes %s from %s (%s)", e.key, e.exchange, r)
		}
	}
	return errs
}

func (s *publishing) takeReturns() map[string]string {
	var ids map[string]string
	for {
		select {
		case r, ok := <-s.returns:
			if !ok {
				return ids
			}
			if ids == nil {
				ids = map[string]string{}
			}
			ids[r.MessageId] = r.ReplyText
		default:
			return ids
		}
	}
}

func all(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func levelOf(bad bool) slog.Level {
	if bad {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
