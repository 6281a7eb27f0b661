package bus_test

import (
	"context"
	"errors"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/testkit"
)

// sorted handles messages by their bodies: "bad" is rejected, "flaky" fails once, the others are done.
func (s *seen) sorted(_ context.Context, batch []bus.Delivery) []error {
	errs := make([]error, len(batch))
	for i, d := range batch {
		switch {
		case string(d.Body) == `"bad"`:
			errs[i] = bus.Reject(errors.New("cannot be read"))
		case string(d.Body) == `"flaky"` && d.Attempt == 1:
			errs[i] = errors.New("once")
		default:
			s.add(batch[i : i+1])
		}
	}
	return errs
}

// An operator removes a queue, an exchange or a binding. It is made again while the programs run, and the queue goes on.
func TestAQueueOrExchangeThatIsRemovedByHandIsMadeAgainAndStopsNothing(t *testing.T) {
	t.Parallel()
	q := queue(kind)
	const noWayBack = "the queue's binding to its name"
	for name, remove := range map[string][]string{
		"the dead-letter queue":             {"queues", q.Dead()},
		"the retry queue":                   {"queues", q.Name() + ".retry.100ms"},
		"the queue":                         {"queues", q.Name()},
		"the exchange of its own":           {"exchanges", "payments.redelivery"},
		"the exchange of commands":          {"exchanges", bus.Commands},
		"the queue's binding to the kind":   {"bindings", "e", bus.Commands, "q", q.Name(), kind},
		noWayBack:                           {"bindings", "e", "payments.redelivery", "q", q.Name(), q.Name()},
		"the dead-letter queue's binding":   {"bindings", "e", "payments.redelivery", "q", q.Dead(), q.Dead()},
		"the retry queue's binding":         {"bindings", "e", "payments.redelivery", "q", q.Name() + ".retry.100ms", q.Name() + ".retry.100ms"},
		"nothing, to know that this proves": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := testkit.NewVhost(t)
			var got seen
			p, _ := running(t, newBroker(t, v.URL), q, got.sorted)
			if remove != nil {
				v.Remove(remove[0], remove[1:]...)
			}
			publish(t, p, message(`"bad"`), message(`"good"`), message(`"flaky"`))
			handled := 2
			if name == noWayBack { // the broker holds the message, and notices only after three minutes
				handled = 1
			}
			testkit.Until(t, "what can be handled is", func() bool { return got.count() == handled })
			testkit.Until(t, "the bad one is dead", func() bool { return v.Depth(q.Dead()) == 1 })
			publish(t, p, message(`"good"`))
			testkit.Until(t, "the queue goes on", func() bool { return got.count() == handled+1 })
		})
	}
}

// An operator has made a queue again before the program did, with other arguments. Sessions end now and then, so this must
// also work for a session that begins later.
func TestAQueueThatIsMadeByHandWithOtherArgumentsStopsOnlyMessagesThatHaveToGoThere(t *testing.T) {
	t.Parallel()
	q := queue(kind)
	retry := q.Name() + ".retry.100ms"
	for name, c := range map[string]struct {
		made          string
		handled, dead int // how many of a good and a flaky message, and of a bad one
	}{
		"the dead-letter queue": {q.Dead(), 2, 0},
		"the retry queue":       {retry, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := testkit.NewVhost(t)
			var got seen
			v.Full(c.made, "amq.direct")
			p, _ := running(t, newBroker(t, v.URL), q, got.sorted)
			publish(t, p, message(`"bad"`), message(`"flaky"`), message(`"good"`))
			testkit.Until(t, "what does not need it is handled", func() bool {
				return got.count() == c.handled && (c.made == q.Dead() || v.Depth(q.Dead()) == c.dead)
			})
			if n := v.Depth(c.made); n != 0 {
				t.Errorf("%d messages are where nobody knows what becomes of them", n)
			}
			v.Remove("queues", c.made)
			testkit.Until(t, "the others are, once it is gone", func() bool { return got.count() == 2 && v.Depth(q.Dead()) == 1 })
		})
	}
}

// The dead-letter queue takes no more. Messages that should go there stay in the consumer's hand, more of them than one
// batch has, and the others are handled all the same.
func TestAMessageThatCannotBeMovedStopsNoOther(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var got seen
	q := queue(kind)
	p, stop := running(t, newBroker(t, v.URL), q, got.sorted)
	v.Limit(q.Dead(), 1)
	const bad, good = 300, 50
	for range good {
		batch := []bus.Message{message(`"good"`)}
		for range bad / good {
			batch = append(batch, message(`"bad"`))
		}
		publish(t, p, batch...)
	}
	testkit.Until(t, "the good ones are handled", func() bool { return got.distinct() == good })
	if n := v.Depth(q.Dead()); n > bad/2 {
		t.Fatalf("%d of %d are dead letters: the limit does not hold", n, bad)
	}
	stop()
	dead := func() int { return max(0, v.Depth(q.Dead())) }
	testkit.Until(t, "what was in hand is in the queue again", func() bool { return v.Depth(q.Name())+dead() >= bad })
	testkit.Go(t, newBroker(t, v.URL).NewConsumer(q, p, got.sorted).Run)
	v.Limit(q.Dead(), 0)
	testkit.Until(t, "all of them are dead letters", func() bool { return dead() >= bad && v.Depth(q.Name()) == 0 })
	publish(t, p, message(`"good"`))
	testkit.Until(t, "the queue goes on", func() bool { return got.distinct() == good+1 })
}

// The queue belongs to one connection: no other client can delete or unbind it. But when the exchange is removed all
// bindings go with it, and it comes back without them.
func TestASubscriptionGetsEventsAgainAfterTheExchangeWasRemoved(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	p, _ := running(t, newBroker(t, v.URL), queue(kind), nil)
	l := listen(t, v.URL)
	v.Remove("exchanges", bus.Events)
	m := message(`{"seq":1}`)
	m.Kind, m.Exchange, m.Mandatory = "orders.order_status_changed", bus.Events, false
	testkit.Until(t, "it hears again", func() bool {
		publish(t, p, m)
		return l.count() > 0
	})
}

func TestAQueueThatIsGoneHasNoDeadLetters(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b, q := newBroker(t, v.URL), queue(kind)
	var got seen
	p, _ := running(t, b, q, got.sorted)
	m := message(`"bad"`)
	publish(t, p, m)
	testkit.Until(t, "it is dead", func() bool { return v.Depth(q.Dead()) == 1 })
	dead := b.NewDeadLetters(q)
	v.Remove("queues", q.Dead())
	if letters, total, err := walk(t, dead); err != nil || total != 0 || len(letters) != 0 {
		t.Errorf("a list: %d of %d, %v", len(letters), total, err)
	}
	v.Remove("queues", q.Dead())
	if err := dead.Replay(t.Context(), m.ID, "olga", func(bus.DeadLetter) error { return nil }); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a replay: %v", err)
	}

	publish(t, p, m)
	testkit.Until(t, "it is dead again", func() bool { return v.Depth(q.Dead()) == 1 })
	v.Remove("queues", q.Name())
	if err := dead.Replay(t.Context(), m.ID, "olga", func(bus.DeadLetter) error { return nil }); err != nil {
		t.Errorf("a replay into a queue that is gone: %v", err)
	}
	testkit.Until(t, "it has been rejected once more", func() bool { return v.Depth(q.Dead()) == 1 })
}
