package live_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/sse"
	"example.com/orderflow/bff-web/live"
)

// A browser has six connections to a host, so its pages share one stream.
func TestOneStreamFollowsSeveralOrders(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith()
	timeline := func(statuses ...string) http.HandlerFunc {
		return (&apptest.History{Of: "", Statuses: statuses}).ServeHTTP
	}
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{
		"/api/orders/o-1/tracking": timeline("placed"), "/api/orders/o-2/tracking": timeline("placed", "paid"), "/api/orders/o-3/tracking": apptest.Says(404, `{}`),
	}))
	r := f.Opens("/live?order=o-1.1&order=O-2.1&order=o-3.7&order=o-1.9")
	r.Reads(`"order_id":"o-2","seq":2`)
	r.Reads("event: refused")
	r.Reads(`"order_id":"o-3"`)
	f.Announce(2, "delivered")
	r.Reads(`"order_id":"o-1","seq":2`)
	f.Hears("o-2", 3, "delivered")
	r.Reads(`"order_id":"o-2","seq":3`)
	if rest := r.Rest(); !strings.Contains(rest, "event: end") || strings.Contains(rest, "id: ") {
		t.Errorf("it ends with %q", rest)
	}
	if n := f.App.Streams.Count(); n > 1 {
		t.Errorf("%d streams", n)
	}
	for _, query := range []string{"", "?order=", "?" + manyOrders(live.FollowMost+1)} {
		if r := f.Opens("/live" + query); r.Answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20s…: %s", query, r.Answer.Status)
		}
	}
	stranger := f.Stranger()
	stranger.Headers["Accept"] = "text/event-stream"
	if answer, _ := stranger.Send(http.MethodGet, "/live?order=o-1", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", answer.Status)
	}
	f.Answer("orders", apptest.Says(503, `{}`))
	if r := f.Opens("/live?order=o-1"); r.Answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while orders is away: %s", r.Answer.Status)
	}
}

func manyOrders(n int) (query string) {
	for i := range n {
		query += fmt.Sprintf("order=o-%d&", i)
	}
	return query
}

// HEAD on a stream answers with the header and ends at once.
func TestHEADOnAStreamEndsAtOnce(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	b := f.As("alice")
	b.Headers["Accept"] = "text/event-stream"
	b.Headers["Authorization"] = f.Bearer("orders")
	for _, path := range []string{"/orders/o-1/live", "/api/orders/o-1/tracking", "/live?order=o-1.0"} {
		begun := time.Now()
		answer, body := b.Send(http.MethodHead, path, nil)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" || body != "" || time.Since(begun) > sse.Heartbeat {
			t.Errorf("%s: %s, %v, after %s", path, answer.Status, answer.Header, time.Since(begun))
		}
	}
	apptest.Until(t, "no stream is left", func() bool { return f.App.Streams.Count() == 0 })
}
