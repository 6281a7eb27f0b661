package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/testkit"
	amqp "github.com/rabbitmq/amqp091-go"
)

func TestDeadLettersAreListedReplayedAndDiscarded(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b := newBroker(t, v.URL)
	var got seen
	broken := true
	q := queue(kind)
	p, _ := running(t, b, q, func(_ context.Context, batch []bus.Delivery) []error {
		errs := make([]error, len(batch))
		if broken {
			for i := range errs {
				errs[i] = bus.Reject(errors.New("a bug"))
			}
			return errs
		}
		got.add(batch)
		return errs
	})
	first, second := message(`1`), message(`2`)
	publish(t, p, first, second)
	v.Put("", "payments.commands", amqp.Publishing{Body: []byte("by hand")})
	testkit.Until(t, "three are dead", func() bool { return v.Depth("payments.commands.dead") == 3 })

	dead := b.NewDeadLetters(q)
	for range 3 { // looking removes nothing and changes no order
		letters, total, err := walk(t, dead)
		if err != nil || total != 3 || len(letters) != 3 || letters[0].ID != first.ID || letters[1].ID != second.ID {
			t.Fatalf("list: %d of %d, %v: %+v", len(letters), total, err, letters)
		}
		if l := letters[0]; l.Reason != "rejected" || l.Error != "a bug" || l.Queue != "payments.commands" || l.FirstFailed.IsZero() {
			t.Errorf("the story of the first: %+v", l)
		}
	}
	broken = false
	refuse := errors.New("the audit cannot be written")
	if err := dead.Replay(t.Context(), second.ID, "olga", func(bus.DeadLetter) error { return refuse }); !errors.Is(err, refuse) {
		t.Fatalf("replay without an audit: %v", err)
	}
	if n := v.Depth("payments.commands.dead"); n != 3 {
		t.Fatalf("%d dead letters after a refused replay, want 3", n)
	}
	if err := dead.Replay(t.Context(), second.ID, "olga", func(bus.DeadLetter) error { return nil }); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the second is handled", func() bool { return got.count() == 1 })
	if d := got.list[0]; d.ID != second.ID || d.Attempt != 1 {
		t.Errorf("replayed: %s, attempt %d", d.ID, d.Attempt)
	}
	var written string
	if err := dead.Discard(t.Context(), first.ID, func(l bus.DeadLetter) error { written = string(l.Body); return nil }); err != nil || written != "1" {
		t.Fatalf("discard: %v, written down: %q", err, written)
	}
	if err := dead.Discard(t.Context(), first.ID, func(bus.DeadLetter) error { return nil }); err == nil {
		t.Error("discarded twice")
	}
	testkit.Until(t, "one is left", func() bool { return v.Depth("payments.commands.dead") == 1 })
	letters, _, err := walk(t, dead)
	if err != nil || len(letters) != 1 || letters[0].ID == "" || string(letters[0].Body) != "by hand" {
		t.Errorf("left: %v, %+v", err, letters)
	}
}

// After an outage there may be a hundred thousand dead letters. A look is bounded and removes none of them.
func TestALookAtVeryManyDeadLettersIsBounded(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b, q := newBroker(t, v.URL), queue(kind)
	dead := b.NewDeadLetters(q)
	if _, _, err := walk(t, dead); err != nil { // makes the queues
		t.Fatal(err)
	}
	const most = 10_000
	n := most + 200
	ch, _ := stranger(t, v)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	var last *amqp.DeferredConfirmation
	for i := range n {
		var err error
		if last, err = ch.PublishWithDeferredConfirm("", q.Dead(), false, false, amqp.Publishing{MessageId: fmt.Sprint(i), Body: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if !last.Wait() {
		t.Fatal("refused")
	}
	for range 2 {
		letters, total, err := walk(t, dead)
		if err != nil || total != n || len(letters) == 0 || len(letters) > most {
			t.Fatalf("%d of %d: %v", len(letters), total, err)
		}
		seen := map[string]bool{}
		for _, l := range letters {
			seen[l.ID] = true
		}
		if len(seen) != len(letters) {
			t.Errorf("%d letters, %d different ones", len(letters), len(seen))
		}
		// Each letter that a look has shown can be settled, also one far back.
		if err := dead.Discard(t.Context(), letters[len(letters)-1].ID, func(bus.DeadLetter) error { return nil }); err != nil {
			t.Errorf("discard of the last one: %v", err)
		}
		n--
	}
}

// When a program is killed while it looks, it is gone before the broker has its letters back. A look in between does not
// say that there are none.
func TestDeadLettersThatAnotherProgramHoldsAreNotOverlooked(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b, q := newBroker(t, v.URL), queue(kind)
	p, stop := running(t, b, q, func(_ context.Context, batch []bus.Delivery) []error { return []error{bus.Reject(errors.New("a bug"))} })
	first, second := message(`1`), message(`2`)
	publish(t, p, first)
	publish(t, p, second)
	testkit.Until(t, "both are dead", func() bool { return v.Depth(q.Dead()) == 2 })
	stop()

	ch, leave := stranger(t, v)
	if d, ok, err := ch.Get(q.Dead(), false); err != nil || !ok || d.MessageId != first.ID {
		t.Fatalf("got %v, %v: %s", ok, err, d.MessageId)
	}
	dead := b.NewDeadLetters(q)
	if letters, total, err := walk(t, dead); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("while somebody has one in hand: %d of %d, %v", len(letters), total, err)
	}
	if _, err := dead.Find(t.Context(), first.ID); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the one that he has: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, leave)
	if _, err := dead.Find(t.Context(), first.ID); err != nil {
		t.Errorf("as he goes: %v", err)
	}
	if letters, total, err := walk(t, dead); err != nil || total != 2 || letters[0].ID != first.ID {
		t.Errorf("when he has gone: %d of %d, %v", len(letters), total, err)
	}
}

// The broker itself gives up a message that kills its consumers, and says when.
func TestAMessageThatKillsItsConsumersIsADeadLetterWithATime(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b, q := newBroker(t, v.URL), queue(kind)
	dead := b.NewDeadLetters(q)
	if _, _, err := walk(t, dead); err != nil { // makes the queues, without a consumer
		t.Fatal(err)
	}
	m := message(`1`)
	v.Put(bus.Commands, kind, amqp.Publishing{MessageId: m.ID, Type: kind, Body: m.Body})
	ch, _ := stranger(t, v)
	testkit.Until(t, "it is dead", func() bool {
		for {
			d, ok, err := ch.Get(q.Name(), false)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return v.Depth(q.Dead()) == 1
			}
			if err := d.Nack(false, true); err != nil {
				t.Fatal(err)
			}
		}
	})
	l, err := dead.Find(t.Context(), m.ID)
	if err != nil || l.Reason != "delivery_limit" || time.Since(l.LastFailed).Abs() > time.Hour {
		t.Errorf("%v: %s at %s: %s", err, l.Reason, l.LastFailed, l.Error)
	}
}

// walk returns all dead letters, and how many there are.
func walk(t *testing.T, dead *bus.DeadLetters) (letters []bus.DeadLetter, total int, err error) {
	t.Helper()
	_, total, err = dead.Walk(t.Context(), func(l bus.DeadLetter) { letters = append(letters, l) })
	return letters, total, err
}

// stranger is another client of the broker, with a channel, until the test ends or leave is called.
func stranger(t *testing.T, v *testkit.Vhost) (ch *amqp.Channel, leave func()) {
	t.Helper()
	conn, err := amqp.Dial(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	leave = func() { _ = conn.Close() } // it is closed already when leave is called twice
	t.Cleanup(leave)
	if ch, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	return ch, leave
}
