package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be the simulator itself, so that tests can kill a real process.
func TestMain(m *testing.M) {
	if os.Getenv("SIMULATOR_TEST_AS_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// sim is a simulator with a real listener, and a client of it.
type sim struct {
	t     *testing.T
	world *world
	url   string
}

// start serves a new world until the test ends. change adapts the server before it starts.
func start(t *testing.T, clock func() time.Time, cfg config, change ...func(*httptest.Server)) *sim {
	t.Helper()
	world, err := newWorld(cfg, clock, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(world.routes())
	for _, f := range change {
		f(server)
	}
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := world.journal.close(); err != nil {
			t.Log(err) // a test may have broken it on purpose
		}
	})
	return &sim{t, world, server.URL}
}

// reply is an answer as it was received.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// try sends one request on a new connection, so that net/http repeats nothing on its own.
func (s *sim) try(ctx context.Context, method, path, key, body string) (reply, error) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Close = true
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, text}, err
}

func (s *sim) do(method, path, key, body string) reply {
	s.t.Helper()
	got, err := s.try(s.t.Context(), method, path, key, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func (s *sim) get(path string) reply             { s.t.Helper(); return s.do("GET", path, "", "") }
func (s *sim) post(path, key, body string) reply { s.t.Helper(); return s.do("POST", path, key, body) }

// want checks the status and, for a problem, its form and code.
func (s *sim) want(got reply, status int, code string) {
	s.t.Helper()
	if got.status != status {
		s.t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
	}
	contentType := got.header.Get("Content-Type")
	if status < 400 {
		if contentType != "application/json" {
			s.t.Fatalf("content type %q", contentType)
		}
		return
	}
	p := read[problem](s.t, got)
	if contentType != "application/problem+json" || p.Status != status || p.Code != code || p.Title == "" || p.Detail == "" || p.Instance == "" {
		s.t.Fatalf("want a problem %d with code %q, got %s %+v", status, code, contentType, p)
	}
}

func read[T any](t *testing.T, got reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(got.body, &v); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return v
}

func items[T any](t *testing.T, got reply) []T {
	t.Helper()
	if !bytes.HasPrefix(got.body, []byte(`{"items":[`)) { // never null
		t.Fatalf("not a list: %s", got.body)
	}
	return read[struct{ Items []T }](t, got).Items
}

// together calls f n times at the same time and returns the results.
func together[T any](n int, f func(i int) T) []T {
	results := make([]T, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { results[i] = f(i) })
	}
	all.Wait()
	return results
}

// fakeClock stands still unless a test moves it.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func chargeOf(amount int, method string) string {
	return fmt.Sprintf(`{"amount":%d,"currency":"EUR","method":%q,"reference":"order-1"}`, amount, method)
}

func refundOf(amount int, chargeKey string) string {
	return fmt.Sprintf(`{"charge_key":%q,"amount":%d,"currency":"EUR"}`, chargeKey, amount)
}
