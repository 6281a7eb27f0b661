package live

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orderflow/bff-web/internal/interest"
	"example.com/orderflow/bff-web/internal/sse"
	"example.com/orderflow/pkg/bus"
)

func TestHeartbeatsComeWhileNothingHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out deadlined
		st := &stream{site: &Pages{feed: NewFeed(), streams: &sse.Streams{Ending: t.Context()}}, places: []*place{{order: "o-1"}}, Events: sse.To(&out)}
		st.site.feed.connected = true // so that it asks orders after half a minute at the earliest
		ctx, cancel := context.WithTimeout(t.Context(), 2*sse.Heartbeat+time.Second)
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

func TestNotificationsComeOnlyWhileTheyAreNeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wanted atomic.Bool
		f := NewFeed()
		f.Want = wanted.Store
		time.Sleep(2 * interest.LookLasts)
		if wanted.Load() {
			t.Error("they come, and nobody has looked")
		}
		begun := time.Now()
		f.Attend(t.Context()) // as for the console, without RabbitMQ
		if took := time.Since(begun); !wanted.Load() || took != interest.AttendWithin || !f.changed.Equal(begun) {
			t.Errorf("wanted: %t after %s; they are missed since %s", wanted.Load(), took, f.changed)
		}
		time.AfterFunc(10*time.Millisecond, func() { f.Joined(true) })
		begun = time.Now()
		f.Attend(t.Context())
		f.Attend(t.Context())
		if took := time.Since(begun); took != 10*time.Millisecond {
			t.Errorf("it waited for %s", took)
		}
		time.Sleep(interest.LookLasts - time.Second)
		w := f.watch("o-1")
		f.Attend(t.Context())
		for range 3 {
			time.Sleep(interest.LookLasts)
			if !wanted.Load() {
				t.Error("they do not come any more, and a stream is open")
			}
		}
		f.leave(w)
		time.Sleep(interest.LookLasts + time.Second)
		if wanted.Load() {
			t.Error("they come, and nobody has looked for long")
		}
	})
}

func TestASlowReaderIsDroppedAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	feed := NewFeed()
	slow, quick := feed.watch("o-1"), feed.watch("o-1")
	for seq := 1; seq <= notificationsMost+1; seq++ {
		body := fmt.Appendf(nil, `{"order_id":"o-1","seq":%d}`, seq)
		feed.Receive([]bus.Delivery{{Message: bus.Message{Body: body}}})
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
	feed.Receive([]bus.Delivery{{Message: bus.Message{Body: []byte(`{"order_id":"o-1","seq":99}`)}}, {Message: bus.Message{Body: []byte(`{`)}}})
	if e := <-quick.notifications; e.Seq != 99 {
		t.Errorf("the quick one has %+v", e)
	}
	if feed.leave(quick); len(feed.watchers) != 0 {
		t.Error("something is left behind")
	}
}
