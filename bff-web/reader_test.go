package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
)

// history is an orders service with one order, whose timeline grows.
type history struct {
	of       string // path of its tracking; empty: any path
	mu       sync.Mutex
	statuses []string
	asked    int
}

func (h *history) grow(statuses ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses = append(h.statuses, statuses...)
}

func (h *history) questions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

func (h *history) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if h.of != "" && r.URL.Path != h.of {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	t := tracking{OrderID: "o-1"}
	for i, status := range h.statuses {
		t.Status = status
		t.Timeline = append(t.Timeline, entry{Seq: i + 1, Status: status, What: status})
	}
	_ = json.NewEncoder(w).Encode(t)
}

// announce lets orders publish an event, as when the timeline has grown.
func (f *fixture) announce(seq int, status string) { f.hears("o-1", seq, status) }

func (f *fixture) hears(order string, seq int, status string) {
	body, _ := json.Marshal(messages.OrderStatusChanged{OrderChange: messages.OrderChange{
		OrderID: order, OrderEntry: messages.OrderEntry{Seq: seq, Status: status, Entered: true, What: status},
	}})
	f.site.feed.receive([]bus.Delivery{{Message: bus.Message{Body: body}}})
}

type reader struct {
	*fixture
	answer *http.Response
	lines  chan string
}

// follows opens the stream of order o-1. headers are pairs of name and value.
func (f *fixture) follows(headers ...string) *reader {
	f.Helper()
	return f.stream("/api/orders/o-1/tracking", append([]string{"Authorization", f.bearer("orders")}, headers...)...)
}

// opens opens a stream of the pages, as Alice.
func (f *fixture) opens(path string) *reader {
	f.Helper()
	name := f.cookie(sessionCookie)
	return f.stream(path, "Cookie", name+"="+f.as("alice").cookies[name])
}

func (f *fixture) stream(path string, headers ...string) *reader {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 30*time.Second)
	f.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { answer.Body.Close() })
	out := &reader{f, answer, make(chan string, 100)}
	go func() {
		defer close(out.lines)
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			out.lines <- s.Text()
		}
	}()
	return out
}

// reads waits for a line with this text.
func (r *reader) reads(text string) {
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
func (r *reader) events(n int) (events []string) {
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

// rest returns everything until the stream ends.
func (r *reader) rest() (all string) {
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

func (f *fixture) ordersWith(statuses ...string) *history {
	h := &history{of: "/api/orders/o-1/tracking", statuses: statuses}
	f.answer("orders", h.ServeHTTP)
	f.site.feed.joined(true)
	return h
}

func wantEvents(t *testing.T, r *reader, want ...string) {
	t.Helper()
	if got := r.events(len(want)); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%q, want %q", got, want)
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not: " + what)
		}
	}
}
