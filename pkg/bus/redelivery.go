package bus

import (
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Reasons for which a message is dead-lettered.
const (
	deadRejected  = "rejected"  // the handler said that no attempt can succeed
	deadExhausted = "exhausted" // MaxAttempts have failed
	deadExpired   = "expired"   // RetryIn has postponed it for longer than maxWaiting
	deadCrashing  = "delivery_limit"
)

const (
	maxWaiting   = 24 * time.Hour // how long RetryIn may keep a message waiting
	errorTextMax = 1000           // bytes of an error's text that a copy carries
	headersMost  = 100 << 10      // bytes of headers that a copy carries: a frame has 128 kB
)

// What became of a delivery, as logs and metrics call it.
const (
	outcomeDone  = "done"
	outcomeRetry = "retry"
	outcomeDead  = "dead"
)

// dead returns why a delivery that failed is dead-lettered, or "" if it is tried again.
func (d Delivery) dead(err error, now time.Time) string {
	_, notYet := errors.AsType[*retryError](err)
	switch {
	case Rejected(err):
		return deadRejected
	case notYet && now.Sub(d.firstFailed(now)) > maxWaiting:
		return deadExpired
	case !notYet && d.Attempt >= MaxAttempts:
		return deadExhausted
	}
	return ""
}

// Outcome returns what becomes of the delivery after its handler has returned err: done, held, retry or dead, and for dead the
// reason.
func (d Delivery) Outcome(err error) (outcome, reason string) {
	switch {
	case err == nil:
		return outcomeDone, ""
	case IsHold(err):
		return "held", ""
	}
	if reason = d.dead(err, time.Now()); reason != "" {
		return outcomeDead, reason
	}
	return outcomeRetry, ""
}

func (d Delivery) firstFailed(now time.Time) time.Time {
	if first := moment(d.raw.Headers, headerFirstFailed); !first.IsZero() {
		return first
	}
	return now
}

// move decides where a delivery goes that failed: to a retry queue or to the dead-letter queue. It returns the copy to
// publish and the outcome's name.
func (q Queue) move(d Delivery, err error, now time.Time) (envelope, string) {
	headers := amqp.Table{headerFirstFailed: stamp(d.firstFailed(now)), headerLastFailed: stamp(now), headerError: clip(err.Error())}
	later, notYet := errors.AsType[*retryError](err)
	switch reason := d.dead(err, now); {
	case reason != "":
		return q.bury(d, reason, headers)
	case notYet:
		headers[headerAttempt] = d.Attempt
		return q.again(d, q.tier(later.in), later.in, headers)
	default:
		headers[headerAttempt] = d.Attempt + 1
		tier := q.Retries[min(d.Attempt, len(q.Retries))-1]
		return q.again(d, tier, jitter(tier), headers)
	}
}

// again returns a copy for the retry queue of tier, from which it comes back after wait. The queue's own TTL is the tier.
// The message's TTL, at most that, spreads messages that failed together. A queue expires messages at its head only, so a
// message may wait for another one in front of it, but never longer than the tier.
func (q Queue) again(d Delivery, tier, wait time.Duration, headers amqp.Table) (envelope, string) {
	e := q.copyOf(d, q.retry(tier), headers)
	e.Expiration = strconv.FormatInt(min(wait, tier).Milliseconds(), 10)
	return e, outcomeRetry
}

func (q Queue) bury(d Delivery, reason string, headers amqp.Table) (envelope, string) {
	headers[headerAttempt] = d.Attempt
	headers[headerDeadReason] = reason
	headers[headerDeadQueue] = q.Name()
	return q.copyOf(d, q.Dead(), headers), outcomeDead
}

// copyOf keeps all properties and headers of a delivery except the broker's own, and sets headers over them.
func (q Queue) copyOf(d Delivery, queue string, headers amqp.Table) envelope {
	kept := portable(d.raw.Headers)
	maps.Copy(kept, headers)
	id := d.raw.MessageId
	if id == "" { // put into the queue by hand; a dead letter needs an id
		id = uuid.Must(uuid.NewV7()).String()
	}
	return envelope{redelivery(q.Service), queue, true, amqp.Publishing{
		Headers:         kept,
		ContentType:     d.raw.ContentType,
		ContentEncoding: d.raw.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		CorrelationId:   d.raw.CorrelationId,
		MessageId:       id,
		Timestamp:       d.raw.Timestamp,
		Type:            d.raw.Type,
		AppId:           d.raw.AppId,
		Body:            d.raw.Body,
	}}
}

// portable returns the headers that a copy keeps. It leaves out the broker's own, and CC and BCC: they are more routing
// keys, by which the copy would multiply. Headers that are too long for a frame, together with those that move adds, would
// cost the publisher its connection: then the shortest are kept, and all of ours are among them.
func portable(headers amqp.Table) amqp.Table {
	kept, room := amqp.Table{}, headersMost
	byLength := func(a, b string) int {
		return cmp.Or(cmp.Compare(length(headers[a]), length(headers[b])), cmp.Compare(a, b))
	}
	for _, name := range slices.SortedFunc(maps.Keys(headers), byLength) {
		if strings.HasPrefix(name, "x-") || name == "CC" || name == "BCC" {
			continue
		}
		if room -= len(name) + length(headers[name]); room < 0 {
			break
		}
		kept[name] = headers[name]
	}
	return kept
}

// length returns about how many bytes a header's value takes in a frame.
func length(value any) int {
	n := 16 // the most that a number or a time takes, and the overhead of the others
	switch v := value.(type) {
	case string:
		n += len(v)
	case []byte:
		n += len(v)
	case []any:
		for _, item := range v {
			n += length(item)
		}
	case amqp.Table:
		for name, item := range v {
			n += len(name) + length(item)
		}
	}
	return n
}

// tier returns the shortest delay that is at least d, or the longest one.
func (q Queue) tier(d time.Duration) time.Duration {
	for _, t := range q.Retries {
		if t >= d {
			return t
		}
	}
	return q.Retries[len(q.Retries)-1]
}

// jitter is "equal jitter": between a half of d and d (Marc Brooker, Exponential Backoff And Jitter, AWS 2015).
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > errorTextMax {
		s = strings.ToValidUTF8(s[:errorTextMax], "") + "…"
	}
	return s
}
