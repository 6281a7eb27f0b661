package bus

import (
	"errors"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A message was put into a queue by hand, with headers of any type. It can be read. When it is not handled, a whole copy of
// it goes to a queue, and can be published; after at most MaxAttempts it is a dead letter, whose history can be read.
func FuzzEnvelope(f *testing.F) {
	f.Add("id", "kind", "attempt", byte(0), "", int64(3), uint8(0), []byte(`{}`))
	f.Add("", "", "attempt", byte(1), "", int64(-1), uint8(1), []byte(nil))
	f.Add("id", "kind", "first-failed-at", byte(2), "0001-01-01T00:00:00Z", int64(0), uint8(2), []byte("\xff"))
	f.Add("id", "kind", "error", byte(3), "\xff\xfe", int64(1<<40), uint8(0), []byte(`{}`))
	f.Add("id", "kind", "x-death", byte(4), "a", int64(7), uint8(0), []byte(`{}`))
	f.Add("id", "kind", "dead-reason", byte(5), "rejected", int64(7), uint8(1), []byte(`{}`))
	q := Queue{Service: "orders", Exchange: Events, Retries: DefaultRetries}
	f.Fuzz(func(t *testing.T, id, kind, header string, of byte, text string, number int64, verdict uint8, body []byte) {
		value := []any{number, int32(number), text, []byte(text), []any{text, number}, amqp.Table{text: number}, time.Unix(number, 0), nil, float64(number), number%2 == 0}[of%10]
		raw := amqp.Delivery{MessageId: id, Type: kind, Headers: amqp.Table{header: value}, Body: body}
		failed := []error{errors.New(text), Reject(errors.New(text)), RetryIn(time.Duration(number), errors.New(text))}[verdict%3]
		for tries := 1; ; tries++ {
			d := received(raw)
			if d.Attempt < 1 || d.Kind != kind || string(d.Body) != string(body) {
				t.Fatalf("%+v is read as %+v", raw, d)
			}
			e, outcome := q.move(d, failed, time.Now())
			e.Headers[headerSent] = stamp(time.Now())
			if err := e.Headers.Validate(); err != nil || e.MessageId == "" || id != "" && e.MessageId != id || string(e.Body) != string(body) || e.DeliveryMode != amqp.Persistent {
				t.Fatalf("the copy of %+v is %+v, %v", raw, e, err)
			}
			if said, _ := e.Headers[headerError].(string); !utf8.ValidString(said) || len(said) > errorTextMax+len("…") {
				t.Errorf("the error is %q", said)
			}
			if attempt, ok := e.Headers[headerAttempt].(int); ok {
				e.Headers[headerAttempt] = int32(attempt) // as in a copy that comes back
			}
			raw = amqp.Delivery{MessageId: e.MessageId, Type: e.Type, Headers: e.Headers, Body: e.Body}
			if outcome == "dead" {
				l := q.deadLetter(raw)
				if e.key != q.Dead() || l.Queue != q.Name() || l.ID != e.MessageId || l.LastFailed.IsZero() || l.Reason == "" || !utf8.ValidString(l.Error) {
					t.Errorf("dead in %s: %+v", e.key, l)
				}
				return
			}
			wait, err := strconv.Atoi(e.Expiration)
			if most := q.Retries[len(q.Retries)-1].Milliseconds(); err != nil || wait < 0 || int64(wait) > most {
				t.Errorf("it waits for %q ms", e.Expiration)
			}
			if verdict%3 == 2 {
				return // RetryIn is no attempt: it ends after a day
			}
			if tries > MaxAttempts {
				t.Fatalf("after %d attempts it is tried again: %+v", tries, e)
			}
		}
	})
}
