package bus_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
)

// taps keeps what a tap has seen.
type taps struct {
	*bus.Tap
	joined atomic.Bool
	mu     sync.Mutex
	list   []bus.Passage
}

func newTap(t *testing.T, url string) *taps {
	t.Helper()
	s := &taps{}
	s.Tap = newBroker(t, url).NewTap([]string{kind}, []string{"payments", "nobody"}, func(passed []bus.Passage) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list = append(s.list, passed...)
	}, s.joined.Store)
	testkit.Go(t, s.Run)
	return s
}

// of returns how a message has passed, one line for each passage.
func (s *taps) of(body string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, p := range s.list {
		if string(p.Body) == body {
			lines = append(lines, strings.TrimSpace(fmt.Sprintln(p.Way, p.Attempt, p.Queue, p.Error, p.Dead)))
		}
	}
	return strings.Join(lines, "; ")
}

func TestATapSeesHowEachMessagePasses(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	tap := newTap(t, v.URL) // before there is any exchange
	q := queue(kind)
	q.Retries = bus.DefaultRetries
	var got seen
	p, _ := running(t, newBroker(t, v.URL), q, got.sorted)
	tap.Want(true)
	testkit.Until(t, "it has joined", tap.joined.Load)
	event := message(`"event"`)
	event.Kind, event.Exchange, event.Mandatory = "payments.payment_taken", bus.Events, false
	publish(t, p, message(`"good"`), message(`"bad"`), message(`"flaky"`), event)
	for body, want := range map[string]string{
		`"good"`:  `sent 1`,
		`"event"`: `sent 1`,
		`"bad"`:   `sent 1; given up 1 payments.commands cannot be read rejected`,
		`"flaky"`: `sent 1; delayed 2 payments.commands once; back 2 payments.commands once`,
	} {
		testkit.Until(t, body+" has passed", func() bool { return strings.Count(tap.of(body), ";") >= strings.Count(want, ";") })
		if got := tap.of(body); got != want {
			t.Errorf("%s passed: %s, want %s", body, got, want)
		}
	}
	if i := slices.IndexFunc(tap.list, func(p bus.Passage) bool { return p.Way == bus.Delayed }); tap.list[i].Wait <= 0 || tap.list[i].Wait > q.Retries[0] {
		t.Errorf("it waits for %s, want at most %s", tap.list[i].Wait, q.Retries[0])
	}
}

func TestATapThatNobodyWantsHasNoConnection(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var got seen
	p, _ := running(t, newBroker(t, v.URL), queue(kind), got.sorted)
	tap := newTap(t, v.URL)
	for range 2 {
		if all := v.Connections("tap"); len(all) != 0 {
			t.Fatalf("it has connections: %v", all)
		}
		tap.Want(true)
		testkit.Until(t, "it has joined", tap.joined.Load)
		testkit.Until(t, "it has a connection", func() bool { return len(v.Connections("tap")) == 1 })
		publish(t, p, message(`"seen"`))
		testkit.Until(t, "the message has passed", func() bool { return tap.of(`"seen"`) != "" })
		tap.Want(false)
		testkit.Until(t, "it has left", func() bool { return !tap.joined.Load() })
		testkit.Until(t, "its connection is closed", func() bool { return len(v.Connections("tap")) == 0 })
		publish(t, p, message(`"unseen"`))
	}
	if got := tap.of(`"unseen"`); got != "" {
		t.Errorf("seen although it was not wanted: %s", got)
	}
}
