package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orderflow/pkg/bus"
)

func TestAStreamBeginsWithTheTimelineAndGoesOnWithNotificationsAndEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.ordersWith("placed", "reserved")
	r := f.follows()
	if r.answer.Header.Get("Content-Type") != "text/event-stream" || r.answer.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s with %v", r.answer.Status, r.answer.Header)
	}
	wantEvents(t, r, "1 placed", "2 reserved")
	f.announce(2, "reserved") // comes twice
	f.announce(3, "paid")
	f.announce(1, "placed") // comes late
	f.announce(4, "delivered")
	wantEvents(t, r, "3 paid", "4 delivered")
	if rest := r.rest(); !strings.Contains(rest, "event: end") {
		t.Errorf("it ends with %q", rest)
	}
	if n := h.questions(); n != 1 {
		t.Errorf("orders was asked %d times", n)
	}
	until(t, "it is forgotten", func() bool {
		return !f.site.feed.watched() && f.site.streams.count() == 0
	})
}

func TestAReaderWhoReconnectsGetsTheMissedEntries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed", "reserved", "paid")
	r := f.follows("Last-Event-ID", "1")
	wantEvents(t, r, "2 reserved", "3 paid")
	f.ordersWith("placed", "delivered")
	if r := f.follows("Last-Event-ID", "2"); r.answer.StatusCode != http.StatusNoContent {
		t.Errorf("after the end: %s", r.answer.Status)
	}
}

// An id may belong to another order, be from before a restore, or be made up. Sending nothing until the order has that many
// entries would be the worst answer: the reader is told to forget what it has, and gets all entries.
func TestAnIDThatIsNoPlaceInTheTimelineIsAnsweredWithEverything(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, id := range []string{"3", "99", "-1", "nonsense", "9223372036854775807", "99999999999999999999", "1.5", "0x1", "o-2.1"} {
		f.ordersWith("placed", "paid")
		r := f.follows("Last-Event-ID", id)
		r.reads("event: reset")
		wantEvents(t, r, "1 placed", "2 paid")
		f.announce(3, "delivered")
		wantEvents(t, r, "3 delivered")
	}
	for _, id := range []string{"", "0"} {
		f.ordersWith("placed", "delivered")
		if rest := f.follows("Last-Event-ID", id).rest(); strings.Contains(rest, "reset") || !strings.Contains(rest, "event: end") {
			t.Errorf("%q is the beginning, and is answered with %q", id, rest)
		}
	}
	f.ordersWith("placed", "delivered")
	r := f.follows("Last-Event-ID", "99") // not 204, since it has not seen the end of this order
	wantEvents(t, r, "1 placed", "2 delivered")
}

func TestATimelineThatHasBecomeShorterIsSentAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed", "reserved", "paid")
	r := f.follows()
	wantEvents(t, r, "1 placed", "2 reserved", "3 paid")
	f.ordersWith("placed") // restored from a backup
	f.site.feed.joined(false)
	r.reads("event: reset")
	wantEvents(t, r, "1 placed")
}

func TestAHeartbeatIsAnEventThatAScriptSees(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed")
	r := f.follows()
	r.reads("event: beat")
	r.reads("data: 10")
}

func TestHeartbeatsComeWhileNothingHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out deadlined
		st := &stream{site: &site{feed: newFeed(), streams: &streams{ending: t.Context()}}, places: []*place{{order: "o-1"}}, events: &events{&out, http.NewResponseController(&out)}}
		st.site.feed.connected = true // so that it asks orders after half a minute at the earliest
		ctx, cancel := context.WithTimeout(t.Context(), 2*heartbeat+time.Second)
		defer cancel()
		if err := st.run(ctx, st.site.feed.watch("o-1")); err != nil || strings.Count(out.String(), "event: beat\ndata: 10\n\n") != 2 {
			t.Errorf("in the time of two: %q, %v", out.String(), err)
		}
	})
}

// deadlined is a response that can be flushed and has deadlines.
type deadlined struct{ strings.Builder }

func (*deadlined) Header() http.Header              { return nil }
func (*deadlined) WriteHeader(int)                  {}
func (*deadlined) Flush()                           {}
func (*deadlined) SetWriteDeadline(time.Time) error { return nil }

func TestAGapInTheNotificationsIsFilledFromOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.ordersWith("placed")
	r := f.follows()
	wantEvents(t, r, "1 placed")
	h.grow("reserved", "paid", "shipped")
	f.announce(3, "paid") // 2 was lost
	wantEvents(t, r, "2 reserved", "3 paid", "4 shipped")
	f.announce(4, "shipped")
	f.announce(5, "delivered")
	wantEvents(t, r, "5 delivered")
}

func TestWithoutRabbitMQOrdersIsAsked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.ordersWith("placed")
	r := f.follows()
	wantEvents(t, r, "1 placed")
	f.site.feed.joined(false)
	h.grow("reserved")
	wantEvents(t, r, "2 reserved")
	f.site.feed.joined(true) // announcements in between were lost
	h.grow("delivered")
	wantEvents(t, r, "3 delivered")
}

func TestAStreamOutlivesOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed")
	r := f.follows()
	wantEvents(t, r, "1 placed")
	f.answer("orders", says(503, `{}`))
	f.site.feed.joined(false)
	time.Sleep(50 * time.Millisecond)
	f.ordersWith("placed", "reserved")
	f.site.feed.joined(false)
	wantEvents(t, r, "2 reserved")
}

func TestNotificationsComeOnlyWhileTheyAreNeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wanted atomic.Bool
		f := newFeed()
		f.want = wanted.Store
		time.Sleep(2 * lookLasts)
		if wanted.Load() {
			t.Error("they come, and nobody has looked")
		}
		begun := time.Now()
		f.attend(t.Context()) // as for the console, without RabbitMQ
		if took := time.Since(begun); !wanted.Load() || took != attendWithin || !f.changed.Equal(begun) {
			t.Errorf("wanted: %t after %s; they are missed since %s", wanted.Load(), took, f.changed)
		}
		time.AfterFunc(10*time.Millisecond, func() { f.joined(true) })
		begun = time.Now()
		f.attend(t.Context())
		f.attend(t.Context())
		if took := time.Since(begun); took != 10*time.Millisecond {
			t.Errorf("it waited for %s", took)
		}
		time.Sleep(lookLasts - time.Second)
		w := f.watch("o-1")
		f.attend(t.Context())
		for range 3 {
			time.Sleep(lookLasts)
			if !wanted.Load() {
				t.Error("they do not come any more, and a stream is open")
			}
		}
		f.leave(w)
		time.Sleep(lookLasts + time.Second)
		if wanted.Load() {
			t.Error("they come, and nobody has looked for long")
		}
	})
}

func TestASlowReaderIsDroppedAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	feed := newFeed()
	slow, quick := feed.watch("o-1"), feed.watch("o-1")
	for seq := 1; seq <= notificationsMost+1; seq++ {
		body := fmt.Appendf(nil, `{"order_id":"o-1","seq":%d}`, seq)
		feed.receive([]bus.Delivery{{Message: bus.Message{Body: body}}})
		if e := <-quick.notifications; e.Seq != seq {
			t.Fatalf("the quick one has %+v", e)
		}
	}
	for range notificationsMost {
		<-slow.notifications
	}
	if _, open := <-slow.notifications; open {
		t.Error("the slow one was not let go")
	}
	feed.leave(slow)
	feed.receive([]bus.Delivery{{Message: bus.Message{Body: []byte(`{"order_id":"o-1","seq":99}`)}}, {Message: bus.Message{Body: []byte(`{`)}}})
	if e := <-quick.notifications; e.Seq != 99 {
		t.Errorf("the quick one has %+v", e)
	}
	if feed.leave(quick); len(feed.watchers) != 0 {
		t.Error("something is left behind")
	}
}

func TestStreamsEndWhenTheProgramDoes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed")
	r := f.follows()
	wantEvents(t, r, "1 placed")
	f.site.streams.end()
	if rest := r.rest(); !strings.Contains(rest, "retry: ") || strings.Contains(rest, "event: end") {
		t.Errorf("it ends with %q, and the browser has to come back", rest)
	}
	if r := f.follows(); r.answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new one begins: %s", r.answer.Status)
	}
}

func TestTheNumberOfStreamsIsLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed")
	for range 10 {
		wantEvents(t, f.follows(), "1 placed")
	}
	if r := f.follows(); r.answer.StatusCode != http.StatusServiceUnavailable || r.answer.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s", r.answer.Status)
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed")
	for lives := 2 * time.Second; ; lives *= 2 { // on a slow machine the token may expire before the stream has begun
		token, err := f.issuer.Token("alice", []string{"orders"}, lives)
		if err != nil {
			t.Fatal(err)
		}
		r := f.follows("Authorization", "Bearer "+token)
		if r.answer.StatusCode == http.StatusUnauthorized {
			continue
		}
		r.rest()
		return
	}
}

func TestAStreamNeedsTheRightToSeeTheOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed")
	for authorization, want := range map[string]int{"": 401, "Bearer x": 401, f.bearer("operations"): 403} {
		if r := f.follows("Authorization", authorization); r.answer.StatusCode != want {
			t.Errorf("%q: %s", authorization, r.answer.Status)
		}
	}
	for status, want := range map[int]int{404: 404, 401: 401, 503: 503} {
		f.answer("orders", says(status, `{}`))
		if r := f.follows(); r.answer.StatusCode != want {
			t.Errorf("orders says %d: %s", status, r.answer.Status)
		}
	}
	b := f.stranger()
	b.headers["Accept"] = "text/event-stream"
	if answer, _ := b.send(http.MethodGet, "/orders/o-1/live", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", answer.Status)
	}
}
