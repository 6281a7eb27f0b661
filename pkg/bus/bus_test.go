package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
	"github.com/google/uuid"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fast are short retry delays for tests, in the same shape as the real ones.
var fast = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}

const kind = "payments.take_payment"

func message(body string) bus.Message {
	return bus.Message{
		ID: uuid.Must(uuid.NewV7()).String(), Kind: kind, Source: "orders", Subject: "an-order", CausationID: "a-cause",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Time: time.Now(), Body: []byte(body),
		Exchange: bus.Commands, Mandatory: true,
	}
}

func newBroker(t *testing.T, url string) *bus.Broker {
	t.Helper()
	b, err := bus.NewBroker(url, "payments", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func queue(kinds ...string) bus.Queue {
	return bus.Queue{Service: "payments", Exchange: bus.Commands, Kinds: kinds, Retries: fast}
}

// seen keeps the deliveries that a handler was given.
type seen struct {
	mu   sync.Mutex
	list []bus.Delivery
	at   []time.Time
}

func (s *seen) add(batch []bus.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range batch {
		s.list, s.at = append(s.list, d), append(s.at, time.Now())
	}
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list)
}

func (s *seen) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[string]bool{}
	for _, d := range s.list {
		ids[d.ID] = true
	}
	return len(ids)
}

// running starts a publisher and a consumer and waits until both have a session.
func running(t *testing.T, b *bus.Broker, q bus.Queue, handle bus.Handler) (*bus.Publisher, func()) {
	t.Helper()
	p, had := b.NewPublisher(), b.Sessions()
	testkit.Go(t, p.Run)
	stop := testkit.Go(t, b.NewConsumer(q, p, handle).Run)
	testkit.Until(t, "both have a session", func() bool { return b.Sessions() == had+2 })
	return p, stop
}

func publish(t *testing.T, p *bus.Publisher, batch ...bus.Message) {
	t.Helper()
	left := batch
	testkit.Until(t, "all messages are confirmed", func() bool {
		var again []bus.Message
		for part := range slices.Chunk(left, bus.MaxBatch) {
			for i, err := range p.Publish(t.Context(), part) {
				if err != nil {
					again = append(again, part[i])
				}
			}
		}
		left = again
		return len(left) == 0
	})
}

func TestAMessageArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var got seen
	p, _ := running(t, newBroker(t, v.URL), queue(kind), func(_ context.Context, batch []bus.Delivery) []error {
		got.add(batch)
		return make([]error, len(batch))
	})
	sent := message(`{"order_id":"x"}`)
	publish(t, p, sent)
	testkit.Until(t, "the message has arrived", func() bool { return got.count() == 1 })

	d := got.list[0]
	if d.Attempt != 1 {
		t.Errorf("attempt %d, want 1", d.Attempt)
	}
	sent.Exchange, sent.Mandatory = "", false
	sent.Time, d.Time = sent.Time.UTC().Truncate(time.Second), d.Time.UTC() // AMQP keeps seconds
	if fmt.Sprint(d.Message) != fmt.Sprint(sent) {
		t.Errorf("got  %v\nwant %v", d.Message, sent)
	}
}

func TestAnUnroutableMessageIsAnErrorAndAnUnroutableNotificationIsNot(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b := newBroker(t, v.URL)
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	testkit.Until(t, "the publisher is connected", b.Connected)

	must, notification := message(`{}`), message(`{}`)
	must.Kind, notification.Kind, notification.Mandatory = "nobody.listens", "nobody.listens", false
	routed := message(`{}`)
	v.Tap("tap", bus.Commands, kind)
	errs := p.Publish(t.Context(), []bus.Message{must, routed, notification})
	if errs[0] == nil || errors.Is(errs[0], bus.ErrUnavailable) {
		t.Errorf("a mandatory message that nobody takes: %v, want an error that is not about the broker", errs[0])
	}
	if errs[1] != nil || errs[2] != nil {
		t.Errorf("the others: %v, %v, want none", errs[1], errs[2])
	}
}

func TestAFailingMessageIsTriedAgainWithBackoffAndThenDeadLettered(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var got seen
	p, _ := running(t, newBroker(t, v.URL), queue(kind), func(_ context.Context, batch []bus.Delivery) []error {
		got.add(batch)
		errs := make([]error, len(batch))
		for i := range errs {
			errs[i] = errors.New("no luck")
		}
		return errs
	})
	sent := message(`{"a":1}`)
	publish(t, p, sent)
	testkit.Until(t, "the message is dead", func() bool { return v.Depth("payments.commands.dead") == 1 })

	if got.count() != bus.MaxAttempts {
		t.Fatalf("tried %d times, want %d", got.count(), bus.MaxAttempts)
	}
	for i := 1; i < bus.MaxAttempts; i++ {
		tier := fast[min(i, len(fast))-1]
		if waited := got.at[i].Sub(got.at[i-1]); waited < tier/2 {
			t.Errorf("attempt %d came after %s, want at least half of %s", i+1, waited, tier)
		}
		if got.list[i].Attempt != i+1 || got.list[i].ID != sent.ID {
			t.Errorf("attempt %d has number %d and id %s", i+1, got.list[i].Attempt, got.list[i].ID)
		}
	}
	d, _ := v.Get("payments.commands.dead")
	if d.Headers["dead-reason"] != "exhausted" || d.Headers["error"] != "no luck" || d.Headers["dead-queue"] != "payments.commands" {
		t.Errorf("its story is %v", d.Headers)
	}
	if d.MessageId != sent.ID || d.Headers["ce-id"] != sent.ID || d.Headers["traceparent"] != sent.TraceParent || string(d.Body) != `{"a":1}` {
		t.Errorf("it has changed: %+v", d)
	}
}

func TestTheVerdictsOfAHandler(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var got seen
	holds := 2
	p, _ := running(t, newBroker(t, v.URL), queue(kind), func(_ context.Context, batch []bus.Delivery) []error {
		errs := make([]error, len(batch))
		for i, d := range batch {
			if string(d.Body) == `"hold"` && holds > 0 {
				holds--
				errs[i] = bus.Hold(errors.New("my database is away"))
				return errs
			}
		}
		got.add(batch)
		for i, d := range batch {
			switch {
			case string(d.Body) == `"reject"`:
				errs[i] = bus.Reject(errors.New("malformed"))
			case string(d.Body) == `"later"` && got.distinctAttempts(d.ID) < 3:
				errs[i] = bus.RetryIn(50*time.Millisecond, errors.New("too soon"))
			}
		}
		return errs
	})
	publish(t, p, message(`"reject"`), message(`"later"`), message(`"hold"`), message(`"fine"`))
	testkit.Until(t, "the rejected one is dead", func() bool { return v.Depth("payments.commands.dead") == 1 })
	testkit.Until(t, "the others are done", func() bool { return got.count() == 6 && v.Depth("payments.commands") == 0 })

	tries := map[string]int{}
	for _, d := range got.list {
		tries[string(d.Body)]++
		if d.Attempt != 1 {
			t.Errorf("%s counts as attempt %d, want 1", d.Body, d.Attempt)
		}
	}
	for body, want := range map[string]int{`"reject"`: 1, `"later"`: 3, `"hold"`: 1, `"fine"`: 1} {
		if tries[body] != want {
			t.Errorf("%s was handled %d times, want %d", body, tries[body], want)
		}
	}
	d, _ := v.Get("payments.commands.dead")
	if d.Headers["dead-reason"] != "rejected" || d.Headers["error"] != "malformed" {
		t.Errorf("the rejected one's story is %v", d.Headers)
	}
}

func (s *seen) distinctAttempts(id string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.list {
		if d.ID == id {
			n++
		}
	}
	return n
}

func TestMessagesThatHaveArrivedAreHandedOverAsABatch(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b := newBroker(t, v.URL)
	started, release := make(chan struct{}), make(chan struct{})
	var sizes []int
	var got seen
	p, _ := running(t, b, queue(kind), func(_ context.Context, batch []bus.Delivery) []error {
		if len(sizes) == 0 {
			close(started)
			<-release
		}
		sizes = append(sizes, len(batch))
		got.add(batch)
		return make([]error, len(batch))
	})
	publish(t, p, message(`0`))
	<-started
	var more []bus.Message
	for range 150 {
		more = append(more, message(`1`))
	}
	publish(t, p, more...)
	testkit.Until(t, "the broker has handed all over", func() bool { return v.Depth("payments.commands") == 0 })
	close(release)
	testkit.Until(t, "all are handled", func() bool { return got.count() == 151 })
	if sizes[0] != 1 || slices.Max(sizes) < 50 { // not all that has left the queue has arrived
		t.Errorf("batches of %v: of 150 messages, those that had arrived should be a few batches", sizes)
	}
}

func TestNothingIsLostWhenTheBrokerRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	r := testkit.PrivateRabbitMQ(t, nil)
	b := newBroker(t, r.URL)
	var got seen
	p, _ := running(t, b, queue(kind), func(_ context.Context, batch []bus.Delivery) []error {
		got.add(batch)
		return make([]error, len(batch))
	})
	var restarting sync.WaitGroup
	defer restarting.Wait()
	const rounds, each = 10, 100
	ids := map[string]bool{}
	for round := range rounds {
		var batch []bus.Message
		for range each {
			m := message(`1`)
			ids[m.ID] = true
			batch = append(batch, m)
		}
		switch round {
		case 3:
			r.Kill()
			if err := r.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 6:
			restarting.Go(func() { // in the middle of publishing
				r.Kill()
				if err := r.Start(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		publish(t, p, batch...)
	}
	testkit.Until(t, "every message has arrived", func() bool { return got.distinct() == len(ids) })
}

// amqp091-go's own recovery has this bug: after a reconnect, the acknowledgement of an earlier delivery hits another
// message, which is then lost.
func TestALateAcknowledgementDoesNotHitAnotherMessageAfterAReconnect(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b := newBroker(t, v.URL)
	var got seen
	inHand, release := make(chan struct{}, 10), make(chan struct{})
	slow := func(_ context.Context, batch []bus.Delivery) []error {
		inHand <- struct{}{}
		<-release
		got.add(batch)
		return make([]error, len(batch))
	}
	p, stop := running(t, b, queue(kind), slow)
	publish(t, p, message(`1`))
	<-inHand
	publish(t, p, message(`2`), message(`3`))
	v.CloseConnections("payments.commands") // while the handler works on the first
	testkit.Until(t, "all three are back in the queue", func() bool { return v.Depth("payments.commands") == 3 })
	close(release)
	testkit.Until(t, "all three are handled in the end", func() bool { return got.distinct() == 3 })
	stop()
	if n := v.Depth("payments.commands"); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	if got.count() < 4 {
		t.Errorf("handled %d times: the first must come again, its acknowledgement came too late", got.count())
	}
}

func TestAStoppedConsumerFinishesWhatItHasInHand(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var got seen
	inHand, release := make(chan struct{}), make(chan struct{})
	b := newBroker(t, v.URL)
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	consumer := b.NewConsumer(queue(kind), p, func(ctx context.Context, batch []bus.Delivery) []error {
		close(inHand)
		<-release
		if ctx.Err() == nil {
			t.Error("a handler is not told that the program stops")
		}
		got.add(batch)
		return make([]error, len(batch))
	})
	life, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- consumer.Run(life) }()
	testkit.Until(t, "both have a session", func() bool { return b.Sessions() == 2 })
	publish(t, p, message(`1`))
	<-inHand
	publish(t, p, message(`2`))
	stop()
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got.count() != 1 {
		t.Fatalf("%d messages handled, want the one in hand", got.count())
	}
	testkit.Until(t, "the other one is back in the queue", func() bool { return v.Depth("payments.commands") == 1 })
}

// A broker with an alarm stops reading from connections that publish. Publishers must not pile up what they cannot send.
func TestABlockedBrokerIsNotPublishedTo(t *testing.T) {
	t.Parallel()
	r := testkit.PrivateRabbitMQ(t, map[string]string{"vm_memory_high_watermark.absolute": "30MiB"})
	b := newBroker(t, r.URL)
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	testkit.Until(t, "the publisher is connected", b.Connected)
	notification := message(`1`)
	notification.Mandatory = false
	testkit.Until(t, "the broker has raised its alarm", func() bool {
		return errors.Is(p.Publish(t.Context(), []bus.Message{notification})[0], bus.ErrUnavailable)
	})
	begun := time.Now()
	for range 1000 {
		if err := p.Publish(t.Context(), []bus.Message{notification})[0]; !errors.Is(err, bus.ErrUnavailable) {
			t.Fatalf("published to a blocked broker: %v", err)
		}
	}
	if took := time.Since(begun); took > time.Minute { // a refusal that waits takes 10 s
		t.Errorf("a thousand refusals took %s: they should not wait", took)
	}
	if !b.Connected() {
		t.Error("the session was given up: the broker has said that it is blocked, and will say when it no longer is")
	}
}
