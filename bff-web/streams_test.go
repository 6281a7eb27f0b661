package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
)

// A browser has six connections to a host, so its pages share one stream.
func TestOneStreamFollowsSeveralOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith()
	timeline := func(statuses ...string) http.HandlerFunc { return (&history{of: "", statuses: statuses}).ServeHTTP }
	f.answer("orders", has(map[string]http.HandlerFunc{
		"/api/orders/o-1/tracking": timeline("placed"), "/api/orders/o-2/tracking": timeline("placed", "paid"), "/api/orders/o-3/tracking": says(404, `{}`),
	}))
	r := f.opens("/live?order=o-1.1&order=O-2.1&order=o-3.7&order=o-1.9")
	r.reads(`"order_id":"o-2","seq":2`)
	r.reads("event: refused")
	r.reads(`"order_id":"o-3"`)
	f.announce(2, "delivered")
	r.reads(`"order_id":"o-1","seq":2`)
	f.hears("o-2", 3, "delivered")
	r.reads(`"order_id":"o-2","seq":3`)
	if rest := r.rest(); !strings.Contains(rest, "event: end") || strings.Contains(rest, "id: ") {
		t.Errorf("it ends with %q", rest)
	}
	if n := f.site.streams.count(); n > 1 {
		t.Errorf("%d streams", n)
	}
	for _, query := range []string{"", "?order=", "?" + manyOrders(followMost+1)} {
		if r := f.opens("/live" + query); r.answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20s…: %s", query, r.answer.Status)
		}
	}
	stranger := f.stranger()
	stranger.headers["Accept"] = "text/event-stream"
	if answer, _ := stranger.send(http.MethodGet, "/live?order=o-1", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", answer.Status)
	}
	f.answer("orders", says(503, `{}`))
	if r := f.opens("/live?order=o-1"); r.answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while orders is away: %s", r.answer.Status)
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
	f := newFixture(t)
	f.ordersWith("placed")
	b := f.as("alice")
	b.headers["Accept"] = "text/event-stream"
	b.headers["Authorization"] = f.bearer("orders")
	for _, path := range []string{"/orders/o-1/live", "/api/orders/o-1/tracking", "/live?order=o-1.0"} {
		begun := time.Now()
		answer, body := b.send(http.MethodHead, path, nil)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" || body != "" || time.Since(begun) > heartbeat {
			t.Errorf("%s: %s, %v, after %s", path, answer.Status, answer.Header, time.Since(begun))
		}
	}
	until(t, "no stream is left", func() bool { return f.site.streams.count() == 0 })
}

func TestOnePersonCannotTakeAllStreams(t *testing.T) {
	t.Parallel()
	const streamsOfOne = 100
	s := newStreams(1000, streamsOfOne)
	var leave func()
	for range streamsOfOne {
		var err error
		if leave, err = s.enter("alice"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.enter("alice"); fault.KindOf(err) != fault.TooMany {
		t.Errorf("one more: %v", err)
	}
	if _, err := s.enter("bob"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	leave()
	if _, err := s.enter("alice"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}
