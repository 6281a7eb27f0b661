// Package bus carries messages through RabbitMQ. It is the only importer of amqp091-go and the only place that knows
// exchanges, queues and channels: the outbox publishes through it, and it feeds the inbox.
//
// It promises two things. A message counts as published when the broker has confirmed it and a queue has taken it. A
// delivery is acknowledged after its effects are committed, on the channel that it came from, or not at all. Together this
// is at-least-once delivery, so receivers must be idempotent: the inbox makes them so.
//
// One AMQP connection is one session. When anything about it closes, the session is discarded, and a new one dials,
// declares and consumes from the start. The recovery of amqp091-go is not used: it reuses the channel object, on which
// delivery tags start at 1 again, so a late acknowledgement can hit another message (docs/adr/0002).
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/wait"
	amqp "github.com/rabbitmq/amqp091-go"
)

// ErrUnavailable reports that the broker could not be asked: no session, blocked by an alarm, or no answer in time.
// Nothing is wrong with the message; whether the broker has it is unknown.
var ErrUnavailable = errors.New("broker unavailable")

var errChannelClosed = errors.New("channel closed")

const (
	heartbeat     = 5 * time.Second // a dead peer is noticed after at most three of them
	dialTimeout   = 5 * time.Second
	closeTimeout  = 2 * time.Second
	redialFirst   = 200 * time.Millisecond
	redialMax     = 10 * time.Second
	sessionStable = 10 * time.Second // a session that lived this long resets the redial delay
)

// Broker is a service's access to RabbitMQ.
type Broker struct {
	urls    []string // of its nodes
	service string
	log     *slog.Logger
	meters  meters
	parts   atomic.Int32 // that run, each of which wants a session
	up      atomic.Int32 // parts that have one, and have declared what they need
}

// NewBroker returns a broker for the named service. urls is its address, or the addresses of a cluster's nodes, separated
// by commas. It does not dial: each part dials when it runs, and again whenever it has lost its session.
func NewBroker(urls, service string, log *slog.Logger) (*Broker, error) {
	b := &Broker{urls: strings.Split(urls, ","), service: service, log: log}
	for _, url := range b.urls {
		if _, err := amqp.ParseURI(url); err != nil {
			return nil, fmt.Errorf("RabbitMQ URL: %w", err)
		}
	}
	b.meters = newMeters(b)
	return b, nil
}

// Connected reports whether every running part has a session.
func (b *Broker) Connected() bool {
	parts := b.parts.Load()
	return parts > 0 && b.up.Load() == parts
}

// Report returns what /readyz says about the broker. A service without a broker is still ready: its messages wait in the
// outbox.
func (b *Broker) Report() map[string]any { return map[string]any{"rabbitmq_connected": b.Connected()} }

// session is one connection with one channel, from dialling to closing. Only the part that it was opened for uses the
// channel.
type session struct {
	conn  *amqp.Connection
	pipe  *corked // below conn
	ch    *amqp.Channel
	lost  context.Context // ends with the connection or the channel; its cause says why
	stop  context.CancelCauseFunc
	works func() // to be called when all is declared and the part can work
}

// keep runs use in one session after another until ctx ends. After an error it waits, with exponential back-off and full
// jitter. When use returns nil it wants another session at once, which is logged at debug level only.
func (b *Broker) keep(ctx context.Context, part string, use func(context.Context, *session) error) {
	b.parts.Add(1)
	defer b.parts.Add(-1)
	delays, level := wait.Backoff{First: redialFirst, Most: redialMax}, slog.LevelInfo
	for ctx.Err() == nil {
		begun := time.Now()
		err := b.once(ctx, part, level, use)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			level = slog.LevelDebug
			continue
		}
		level = slog.LevelInfo
		if time.Since(begun) > sessionStable {
			delays.Reset()
		}
		delay := delays.Next()
		b.log.WarnContext(ctx, "no session with RabbitMQ", "part", part, "error", err, "again_in", delay.Round(time.Millisecond))
		wait.For(ctx, delay)
	}
}

func (b *Broker) once(ctx context.Context, part string, level slog.Level, use func(context.Context, *session) error) error {
	s, err := b.open(ctx, part)
	if err != nil {
		return err
	}
	defer s.close()
	working := false
	s.works = func() {
		working = true
		b.up.Add(1)
		b.log.Log(ctx, level, "session with RabbitMQ", "part", part)
	}
	defer func() {
		if working {
			b.up.Add(-1)
		}
	}()
	return use(ctx, s)
}

// open opens a session with the first node that accepts one. It tries the nodes in random order: so the sessions of all
// programs spread over the nodes, and a node that takes connections but does not answer is not everybody's first choice.
func (b *Broker) open(ctx context.Context, part string) (*session, error) {
	var failed []error
	for _, i := range rand.Perm(len(b.urls)) {
		s, err := b.openAt(ctx, b.urls[i], part)
		if err == nil {
			return s, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failed...)
}

// openAt dials one connection, named for its service and part so that an operator can tell them apart, and opens its channel.
func (b *Broker) openAt(ctx context.Context, url, part string) (*session, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(b.service + " " + part)
	pipe := &corked{}
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			pipe.Conn = c
			return pipe, c.SetDeadline(time.Now().Add(dialTimeout)) // for the handshake; the library clears it after
		},
	})
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	ch, err := conn.Channel()
	if err != nil {
		_ = conn.CloseDeadline(time.Now().Add(closeTimeout)) // it is useless either way
		return nil, fmt.Errorf("open channel: %w", err)
	}
	s := &session{conn: conn, pipe: pipe, ch: ch}
	s.lost, s.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	connClosed, chClosed := conn.NotifyClose(make(chan *amqp.Error, 1)), ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		select {
		case e := <-connClosed:
			s.stop(fmt.Errorf("connection closed: %w", orClosed(e)))
		case e := <-chClosed:
			s.stop(fmt.Errorf("%w: %w", errChannelClosed, orClosed(e)))
		case <-s.lost.Done():
		}
	}()
	return s, nil
}

// mendEvery is the most time that a queue, an exchange or a binding stays missing after it was removed by hand.
const mendEvery = 5 * time.Second

// mend declares everything again every mendEvery, and at once when now says so, until the session ends.
func (s *session) mend(log *slog.Logger, now <-chan struct{}, all ...declaration) {
	every := time.NewTicker(mendEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-now:
		case <-s.lost.Done():
			return
		}
		s.declare(log, all...)
	}
}

// declare declares everything that may be missing, on channels of its own: when the broker refuses a declaration it closes
// the channel, and the session's own channel should go on.
func (s *session) declare(log *slog.Logger, all ...declaration) {
	var ch *amqp.Channel
	for _, one := range all {
		var err error
		if ch == nil || ch.IsClosed() {
			ch, err = s.conn.Channel()
		}
		if err == nil {
			err = one(ch)
		}
		if s.lost.Err() != nil || s.conn.IsClosed() {
			return
		}
		if err != nil {
			log.WarnContext(s.lost, "cannot declare what may be missing", "error", err)
		}
	}
	if ch != nil {
		_ = ch.Close() // the broker may have closed it already
	}
}

// ended returns why deliveries have stopped: the session has ended, or the queue was deleted. The next session declares the
// queue again.
func (s *session) ended() error {
	if s.lost.Err() == nil {
		return errors.New("the queue was deleted")
	}
	return fmt.Errorf("deliveries ended: %w", context.Cause(s.lost))
}

// close ends the session whatever state it is in. Deliveries that were not acknowledged go back to their queue.
func (s *session) close() {
	s.stop(amqp.ErrClosed)
	_ = s.conn.CloseDeadline(time.Now().Add(closeTimeout)) // it may be closed already
}

func orClosed(e *amqp.Error) error {
	if e == nil { // the library's way to say that we closed it
		return amqp.ErrClosed
	}
	return e
}
