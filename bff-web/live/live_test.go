package live_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestAStreamBeginsWithTheTimelineAndGoesOnWithNotificationsAndEnds(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	h := f.OrdersWith("placed", "reserved")
	r := f.Follows()
	if r.Answer.Header.Get("Content-Type") != "text/event-stream" || r.Answer.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s with %v", r.Answer.Status, r.Answer.Header)
	}
	apptest.WantEvents(t, r, "1 placed", "2 reserved")
	f.Announce(2, "reserved") // comes twice
	f.Announce(3, "paid")
	f.Announce(1, "placed") // comes late
	f.Announce(4, "delivered")
	apptest.WantEvents(t, r, "3 paid", "4 delivered")
	if rest := r.Rest(); !strings.Contains(rest, "event: end") {
		t.Errorf("it ends with %q", rest)
	}
	if n := h.Questions(); n != 1 {
		t.Errorf("orders was asked %d times", n)
	}
	apptest.Until(t, "it is forgotten", func() bool {
		return !f.App.Feed.Watched() && f.App.Streams.Count() == 0
	})
}

func TestAReaderWhoReconnectsGetsTheMissedEntries(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed", "reserved", "paid")
	r := f.Follows("Last-Event-ID", "1")
	apptest.WantEvents(t, r, "2 reserved", "3 paid")
	f.OrdersWith("placed", "delivered")
	if r := f.Follows("Last-Event-ID", "2"); r.Answer.StatusCode != http.StatusNoContent {
		t.Errorf("after the end: %s", r.Answer.Status)
	}
}

// An id may belong to another order, be from before a restore, or be made up. Sending nothing until the order has that many
// entries would be the worst answer: the reader is told to forget what it has, and gets all entries.
func TestAnIDThatIsNoPlaceInTheTimelineIsAnsweredWithEverything(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for _, id := range []string{"3", "99", "-1", "nonsense", "9223372036854775807", "99999999999999999999", "1.5", "0x1", "o-2.1"} {
		f.OrdersWith("placed", "paid")
		r := f.Follows("Last-Event-ID", id)
		r.Reads("event: reset")
		apptest.WantEvents(t, r, "1 placed", "2 paid")
		f.Announce(3, "delivered")
		apptest.WantEvents(t, r, "3 delivered")
	}
	for _, id := range []string{"", "0"} {
		f.OrdersWith("placed", "delivered")
		if rest := f.Follows("Last-Event-ID", id).Rest(); strings.Contains(rest, "reset") || !strings.Contains(rest, "event: end") {
			t.Errorf("%q is the beginning, and is answered with %q", id, rest)
		}
	}
	f.OrdersWith("placed", "delivered")
	r := f.Follows("Last-Event-ID", "99") // not 204, since it has not seen the end of this order
	apptest.WantEvents(t, r, "1 placed", "2 delivered")
}

func TestATimelineThatHasBecomeShorterIsSentAgain(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed", "reserved", "paid")
	r := f.Follows()
	apptest.WantEvents(t, r, "1 placed", "2 reserved", "3 paid")
	f.OrdersWith("placed") // restored from a backup
	f.App.Feed.Joined(false)
	r.Reads("event: reset")
	apptest.WantEvents(t, r, "1 placed")
}

func TestAHeartbeatIsAnEventThatAScriptSees(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	r := f.Follows()
	r.Reads("event: beat")
	r.Reads("data: 10")
}

func TestAGapInTheNotificationsIsFilledFromOrders(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	h := f.OrdersWith("placed")
	r := f.Follows()
	apptest.WantEvents(t, r, "1 placed")
	h.Grow("reserved", "paid", "shipped")
	f.Announce(3, "paid") // 2 was lost
	apptest.WantEvents(t, r, "2 reserved", "3 paid", "4 shipped")
	f.Announce(4, "shipped")
	f.Announce(5, "delivered")
	apptest.WantEvents(t, r, "5 delivered")
}

func TestWithoutRabbitMQOrdersIsAsked(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	h := f.OrdersWith("placed")
	r := f.Follows()
	apptest.WantEvents(t, r, "1 placed")
	f.App.Feed.Joined(false)
	h.Grow("reserved")
	apptest.WantEvents(t, r, "2 reserved")
	f.App.Feed.Joined(true) // announcements in between were lost
	h.Grow("delivered")
	apptest.WantEvents(t, r, "3 delivered")
}

func TestAStreamOutlivesOrders(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	r := f.Follows()
	apptest.WantEvents(t, r, "1 placed")
	f.Answer("orders", apptest.Says(503, `{}`))
	f.App.Feed.Joined(false)
	time.Sleep(50 * time.Millisecond)
	f.OrdersWith("placed", "reserved")
	f.App.Feed.Joined(false)
	apptest.WantEvents(t, r, "2 reserved")
}

func TestStreamsEndWhenTheProgramDoes(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	r := f.Follows()
	apptest.WantEvents(t, r, "1 placed")
	f.App.Streams.End()
	if rest := r.Rest(); !strings.Contains(rest, "retry: ") || strings.Contains(rest, "event: end") {
		t.Errorf("it ends with %q, and the browser has to come back", rest)
	}
	if r := f.Follows(); r.Answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new one begins: %s", r.Answer.Status)
	}
}

func TestTheNumberOfStreamsIsLimited(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	for range 10 {
		apptest.WantEvents(t, f.Follows(), "1 placed")
	}
	if r := f.Follows(); r.Answer.StatusCode != http.StatusServiceUnavailable || r.Answer.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s", r.Answer.Status)
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	for lives := 2 * time.Second; ; lives *= 2 { // on a slow machine the token may expire before the stream has begun
		token, err := f.Issuer.Token("alice", []string{"orders"}, lives)
		if err != nil {
			t.Fatal(err)
		}
		r := f.Follows("Authorization", "Bearer "+token)
		if r.Answer.StatusCode == http.StatusUnauthorized {
			continue
		}
		r.Rest()
		return
	}
}

func TestAStreamNeedsTheRightToSeeTheOrder(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	for authorization, want := range map[string]int{"": 401, "Bearer x": 401, f.Bearer("operations"): 403} {
		if r := f.Follows("Authorization", authorization); r.Answer.StatusCode != want {
			t.Errorf("%q: %s", authorization, r.Answer.Status)
		}
	}
	for status, want := range map[int]int{404: 404, 401: 401, 503: 503} {
		f.Answer("orders", apptest.Says(status, `{}`))
		if r := f.Follows(); r.Answer.StatusCode != want {
			t.Errorf("orders says %d: %s", status, r.Answer.Status)
		}
	}
	b := f.Stranger()
	b.Headers["Accept"] = "text/event-stream"
	if answer, _ := b.Send(http.MethodGet, "/orders/o-1/live", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", answer.Status)
	}
}
