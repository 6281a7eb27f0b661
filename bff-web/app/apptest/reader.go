package apptest

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
)

// History is an orders service with one order, whose timeline grows.
type History struct {
	Of       string // path of its tracking; empty: any path
	mu       sync.Mutex
	Statuses []string
	asked    int
}

// Grow adds entries to the timeline.
func (h *History) Grow(statuses ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Statuses = append(h.Statuses, statuses...)
}

// Questions returns how often orders was asked.
func (h *History) Questions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// ServeHTTP answers with the tracking of the order.
func (h *History) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if h.Of != "" && r.URL.Path != h.Of {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	t := orders.Tracking{OrderID: "o-1"}
	for i, status := range h.Statuses {
		t.Status = status
		t.Timeline = append(t.Timeline, orders.Entry{Seq: i + 1, Status: status, What: status})
	}
	_ = json.NewEncoder(w).Encode(t)
}

// Announce lets orders publish an event, as when the timeline has grown.
func (f *Fixture) Announce(seq int, status string) { f.Hears("o-1", seq, status) }

// Hears lets orders publish an event about an order.
func (f *Fixture) Hears(order string, seq int, status string) {
	body, _ := json.Marshal(messages.OrderStatusChanged{OrderChange: messages.OrderChange{
		OrderID: order, OrderEntry: messages.OrderEntry{Seq: seq, Status: status, Entered: true, What: status},
	}})
	f.App.Feed.Receive([]bus.Delivery{{Message: bus.Message{Body: body}}})
}

// Reader reads an open stream, line by line.
type Reader struct {
	*Fixture
	Answer *http.Response
	lines  chan string
}

// Follows opens the stream of order o-1. headers are pairs of name and value.
func (f *Fixture) Follows(headers ...string) *Reader {
	f.Helper()
	return f.Stream("/api/orders/o-1/tracking", append([]string{"Authorization", f.Bearer("orders")}, headers...)...)
}

// Opens opens a stream of the pages, as Alice.
func (f *Fixture) Opens(path string) *Reader {
	f.Helper()
	name := f.Cookie(visitor.SessionCookie)
	return f.Stream(path, "Cookie", name+"="+f.As("alice").Cookies[name])
}

// Stream opens a stream. headers are pairs of name and value.
func (f *Fixture) Stream(path string, headers ...string) *Reader {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 30*time.Second)
	f.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := direct.RoundTrip(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = answer.Body.Close() }) // only read
	out := &Reader{f, answer, make(chan string, 100)}
	go func() {
		defer close(out.lines)
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			out.lines <- s.Text()
		}
	}()
	return out
}

// Reads waits for a line with this text.
func (r *Reader) Reads(text string) {
	r.Helper()
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.Fatalf("the stream has ended without %q", text)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-time.After(10 * time.Second):
			r.Fatalf("no %q comes", text)
		}
	}
}

// events returns the next n events, each as "id status".
func (r *Reader) events(n int) (events []string) {
	r.Helper()
	id := ""
	for len(events) < n {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.Fatalf("the stream has ended after %q", events)
			}
			if value, found := strings.CutPrefix(line, "id: "); found {
				id = value
			}
			if value, found := strings.CutPrefix(line, "data: {\"seq\""); found {
				_, status, _ := strings.Cut(value, `"status":"`)
				status, _, _ = strings.Cut(status, `"`)
				events = append(events, id+" "+status)
			}
		case <-time.After(10 * time.Second):
			r.Fatalf("only %q", events)
		}
	}
	return events
}

// Rest returns everything until the stream ends.
func (r *Reader) Rest() (all string) {
	r.Helper()
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				return all
			}
			all += line + "\n"
		case <-time.After(10 * time.Second):
			r.Fatalf("it does not end: %s", all)
		}
	}
}

// OrdersWith makes orders have an order with a timeline, and notifications come.
func (f *Fixture) OrdersWith(statuses ...string) *History {
	h := &History{Of: "/api/orders/o-1/tracking", Statuses: statuses}
	f.Answer("orders", h.ServeHTTP)
	f.App.Feed.Joined(true)
	return h
}

// WantEvents fails the test unless the next events are these.
func WantEvents(t *testing.T, r *Reader, want ...string) {
	t.Helper()
	if got := r.events(len(want)); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%q, want %q", got, want)
	}
}

// Until waits until something holds, at most 20 seconds.
func Until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not: " + what)
		}
	}
}
