package backstage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/bus"
)

// watched is a lookout over a system that a test makes up, which counts who asks it.
type watched struct {
	*Lookout
	end context.CancelFunc

	mu       sync.Mutex
	programs []health.Health
	states   map[string]bus.QueueState
	broken   error

	checkUps, looks, taps, inspectors atomic.Int32
	pass                              func([]bus.Passage)
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{states: map[string]bus.QueueState{}}
	ctx, end := context.WithCancel(context.Background())
	w.end = end
	var missing upstream.Absences
	w.Lookout = &Lookout{
		services: []string{"inventory", "orders", "payments", "shipping"}, ending: ctx, absent: missing.Of,
		listens: func(kind string) bool { return strings.HasPrefix(kind, "orders.") },
		checkUp: func(context.Context) []health.Health {
			w.checkUps.Add(1)
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Clone(w.programs)
		},
		inspect: func() inspector {
			w.inspectors.Add(1)
			return w
		},
		Tap: func(pass func([]bus.Passage)) func() {
			w.taps.Add(1)
			w.pass = pass
			return func() { w.taps.Add(-1) }
		},
	}
	return w
}

func (w *watched) Close() { w.inspectors.Add(-1) }

func (w *watched) Queues(_ context.Context, names ...string) ([]bus.QueueState, error) {
	w.looks.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make([]bus.QueueState, len(names))
	for i, name := range names {
		state, there := w.states[name]
		state.Name, state.Missing = name, !there
		states[i] = state
	}
	return states, w.broken
}

// has makes a queue, with its dead-letter queue.
func (w *watched) has(queue string, ready, consumers int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states[queue] = bus.QueueState{Ready: ready, Consumers: consumers}
	w.states[queue+".dead"] = bus.QueueState{}
}

func (w *watched) frames() frame {
	w.Lookout.mu.Lock()
	defer w.Lookout.mu.Unlock()
	return w.now
}

func TestAHundredWatchersCostOneCollectionAndNobodyCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.has("payments.commands", 0, 1)
		time.Sleep(time.Minute)
		if n := w.checkUps.Load() + w.looks.Load() + w.taps.Load() + w.inspectors.Load(); n != 0 {
			t.Errorf("nobody has looked, and something was asked %d times", n)
		}
		watching, stop := context.WithCancel(t.Context())
		leave := w.enter()
		synctest.Wait() // the first look is over, so all viewers begin with the same frame
		var seen [100]strings.Builder
		var leaving sync.WaitGroup
		for i := range seen {
			leaving.Go(func() {
				defer w.enter()()
				for turn := 0; ; {
					news, now, more := w.look(turn)
					seen[i].Write(news)
					turn = now
					select {
					case <-more:
					case <-watching.Done():
						return
					}
				}
			})
		}
		for n := range 60 { // something changes each second
			time.Sleep(time.Second)
			w.has("payments.commands", n, 1)
		}
		if n := w.checkUps.Load(); n < 28 || n > 31 {
			t.Errorf("in a minute all programs were asked %d times, want once every %s", n, programsEvery)
		}
		if n := w.looks.Load(); n < 115 || n > 121 {
			t.Errorf("in a minute RabbitMQ was asked %d times, want once every %s", n, queuesEvery)
		}
		if w.taps.Load() != 1 || w.inspectors.Load() != 1 {
			t.Errorf("%d taps and %d connections", w.taps.Load(), w.inspectors.Load())
		}
		stop()
		leave()
		leaving.Wait()
		for i := range seen {
			if text := seen[i].String(); text != seen[0].String() || strings.Count(text, `"payments.commands.waiting":`) < 55 {
				t.Fatalf("viewer %d has seen something else: %s", i, text)
			}
		}
		time.Sleep(restAfter - time.Second)
		w.enter()() // somebody loads the page again
		time.Sleep(restAfter - time.Second)
		if w.taps.Load() != 1 {
			t.Error("it has stopped although somebody has just looked")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		asked := w.checkUps.Load() + w.looks.Load()
		time.Sleep(time.Hour)
		if n := w.checkUps.Load() + w.looks.Load() - asked; n != 0 || w.taps.Load() != 0 || w.inspectors.Load() != 0 {
			t.Errorf("after the last viewer: %d questions, %d taps, %d connections", n, w.taps.Load(), w.inspectors.Load())
		}
	}) // and it would not end while a goroutine is left
}

func TestTheCollectionEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		defer w.enter()()
		time.Sleep(time.Second)
		w.end()
		synctest.Wait()
		if w.taps.Load() != 0 || w.inspectors.Load() != 0 {
			t.Error("it goes on")
		}
		late := newWatched(t)
		late.end()
		begun := time.Now()
		late.still(t.Context())
		if took := time.Since(begun); took > 0 {
			t.Errorf("a page waits %s for what does not come any more", took)
		}
		time.Sleep(restAfter)
	})
}

func TestAViewerGetsChangesAndEverythingAfterAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.has("payments.commands", 7, 1)
		leave := w.enter()
		time.Sleep(1100 * time.Millisecond) // between two looks
		all, turn, _ := w.look(0)
		if !strings.Contains(string(all), `"payments.commands.waiting":"7"`) || !strings.Contains(string(all), `"summary":`) {
			t.Errorf("the first frame is %s", all)
		}
		if news, _, _ := w.look(turn); news != nil {
			t.Errorf("nothing has changed, and it is told %s", news)
		}
		w.has("payments.commands", 8, 1)
		time.Sleep(queuesEvery)
		news, next, _ := w.look(turn)
		if !strings.Contains(string(news), `"payments.commands.waiting":"8"`) || strings.Contains(string(news), "shipping") || next != turn+1 {
			t.Errorf("what has changed is %s", news)
		}
		w.has("payments.commands", 9, 1)
		time.Sleep(queuesEvery)
		if news, _, _ := w.look(turn); !strings.Contains(string(news), `"summary":`) {
			t.Errorf("after a gap comes only %s", news)
		}
		leave()
		time.Sleep(restAfter)
	})
}

// A replica of bff-web sees itself; of the others the gateway tells.
func TestTheReplicasOfThisProgramAreThoseThatTheGatewayCalls(t *testing.T) {
	t.Parallel()
	this := health.Health{Program: health.Program{Name: upstream.Self}, State: "ready"}
	gateway := func(breakers string) health.Health {
		return health.Health{Program: health.Program{Name: "gateway"}, State: "ready", Samples: health.Samples([]byte(breakers))}
	}
	const other = "client_breaker_open{upstream=\"orders\",replica=\"x\"} 1\n"
	for name, c := range map[string]struct {
		programs               []health.Health
		replicas, state, boxes string
	}{
		"no gateway tells":    {[]health.Health{this}, "this one is ready", "ready", ""},
		"one that knows none": {[]health.Health{gateway(other), this}, "this one is ready", "ready", ""},
		"this one alone":      {[]health.Health{gateway(other + "client_breaker_open{upstream=\"bff-web\",replica=\"a\"} 0\n"), this}, "1 of 1 ready", "ready", ""},
		"three, one silent for one of two gateways": {[]health.Health{
			gateway("client_breaker_open{upstream=\"bff-web\",replica=\"a\"} 0\nclient_breaker_open{upstream=\"bff-web\",replica=\"b\"} 0\nclient_breaker_open{upstream=\"bff-web\",replica=\"c\"} 0\n"),
			gateway("client_breaker_open{upstream=\"bff-web\",replica=\"a\"} 0\nclient_breaker_open{upstream=\"bff-web\",replica=\"b\"} 1\nclient_breaker_open{upstream=\"bff-web\",replica=\"c\"} 0\n"), this,
		}, "2 of 3 ready", "part", squares(0, 1)},
	} {
		s := newOutlook(nil, func(string) bool { return false }, false)
		s.programs = c.programs
		f := s.frame(time.Now())
		if f["bff-web.replicas"] != c.replicas || f["bff-web.state"] != c.state || f["bff-web.boxes.away"] != c.boxes {
			t.Errorf("%s: %q, %q, %q", name, f["bff-web.replicas"], f["bff-web.state"], f["bff-web.boxes.away"])
		}
	}
}

// RabbitMQ or a program that does not answer must not look as if all were well, nor hold up the rest.
func TestWhatIsAwayIsShownAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.has("payments.commands", 3, 0)
		w.has("orders.events", 0, 2)
		w.programs = []health.Health{
			{Program: health.Program{Name: "orders", Address: "a"}, State: "ready", Metrics: true, Samples: health.Samples([]byte("orders_need_attention 0\norders_under_way{status=\"reserved\"} 3\noutbox_due 5\noutbox_oldest_seconds 61\nbus_queue_age_seconds{queue=\"orders.events\"} 2\n"))},
			{Program: health.Program{Name: "orders", Address: "b"}, State: "draining"},
			{Program: health.Program{Name: "payments", Address: "c"}, State: "away", Away: &upstream.Absence{Cause: "it does not answer", Since: time.Now()}},
			{Program: health.Program{Name: "inventory", Address: "d"}, State: "not ready"},
			{Program: health.Program{Name: "shipping", Address: "e"}, State: "ready"},
		}
		defer func() { time.Sleep(restAfter) }()
		defer w.enter()()
		time.Sleep(9900 * time.Millisecond)
		want := func(values ...string) {
			t.Helper()
			f := w.frames()
			for i := 0; i < len(values); i += 2 {
				if got := f[values[i]]; got != values[i+1] {
					t.Errorf("%s is %q, want %q", values[i], got, values[i+1])
				}
			}
		}
		want("payments.state", "away", "payments.replicas", "0 of 1 ready", "payments.why", "no answer for 10s", "payments.database", "unknown", "payments.outbox", "?",
			"payments.commands.state", "alone", "payments.commands.waiting", "3", "payments.commands.age", "over 10s", "payments.commands.pile", "M-4 -3.5h8M0 -10.5h.1",
			"payments.events.state", "missing", "payments.boxes.away", "M0 0h.1", "payments.boxes.ready", "",
			"orders.state", "part", "orders.replicas", "1 of 2 ready", "orders.why", "draining", "orders.outbox", "5", "orders.outbox.age", "1m1s", "orders.outbox.state", "part",
			"orders.underway", "3", "orders.statuses", "3 reserved", "orders.events.state", "empty", "orders.events.age", "2s", "orders.events.consumers", "2",
			"orders.boxes.part", "M0 0h.1", "orders.boxes.ready", "M15 0h.1",
			"inventory.state", "away", "inventory.database", "away", "shipping.state", "ready", "shipping.database", "ready", "gateway.state", "unknown",
			"bus.state", "ready", "summary", "In trouble: inventory, orders, payments.", "summary.state", "away",
			"waiting", "Waiting: 3 in payments.commands, 5 in the outbox of orders.")

		w.mu.Lock()
		w.broken = errors.New("refused")
		w.mu.Unlock()
		time.Sleep(time.Second)
		want("bus.state", "away", "payments.commands.state", "unknown", "payments.commands.waiting", "?", "payments.commands.age", "?", "payments.commands.pile", "", "payments.dead", "?",
			"payments.events.state", "missing", "summary", "In trouble: inventory, orders, payments, RabbitMQ.", "waiting", "Waiting: 5 in the outbox of orders.")
		w.mu.Lock()
		w.broken = nil
		w.mu.Unlock()
		w.has("payments.commands", 2, 1) // whose consumer tells nothing yet
		time.Sleep(time.Second)
		want("bus.state", "ready", "payments.commands.state", "waiting", "payments.commands.age", "?")
		w.has("payments.commands", 0, 1)
		time.Sleep(time.Second)
		want("bus.state", "ready", "payments.commands.state", "empty", "payments.commands.waiting", "0", "payments.commands.pile", "", "payments.dead", "0")
	})
}

func TestAPileGrowsWithItsMessagesAndHasAnEnd(t *testing.T) {
	t.Parallel()
	dots := func(n int) (sum int) {
		for part := range strings.SplitSeq(strings.TrimPrefix(heap(n, queueBase), "M"), "M") {
			_, length, drawn := strings.Cut(part, "h")
			if !drawn {
				continue
			}
			var px float64
			if _, err := fmt.Sscan(length, &px); err != nil {
				t.Fatalf("%d: %q", n, part)
			}
			sum += int(px)/dot + 1
		}
		return sum
	}
	before := 0
	for _, n := range []int{0, 1, 2, 3, 10, 40, 41, 42, 50, 100, 1000, 100_000, 1_000_000, 2_000_000} {
		now := dots(n)
		if n <= oneByOne(queueBase) && now != n {
			t.Errorf("%d messages are %d dots", n, now)
		}
		if now < before || now > queueBase*(queueBase+1)/2 {
			t.Errorf("%d messages are %d dots, fewer ones %d", n, now, before)
		}
		before = now
	}
	if before != queueBase*(queueBase+1)/2 {
		t.Errorf("the largest pile has %d dots", before)
	}
}
