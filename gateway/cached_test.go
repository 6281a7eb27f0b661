package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/local/direct"
)

// catalogue answers as inventory does. Its version can be changed.
type catalogue struct {
	version atomic.Int32
	control string
	header  http.Header
}

func (k *catalogue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tag := fmt.Sprintf(`"v%d"`, k.version.Load())
	w.Header().Set("Cache-Control", k.control)
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", "application/json")
	maps.Copy(w.Header(), k.header)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = io.WriteString(w, r.URL.Path+" "+tag)
}

// shop is a fixture with an inventory that serves a catalogue, and with a clock for the cache that the test controls.
type shop struct {
	*fixture
	*catalogue
	clock atomic.Int64 // nanoseconds since the start
}

func newShop(t *testing.T, adapt ...func(*config)) *shop {
	t.Helper()
	s := &shop{fixture: newFixture(t, adapt...), catalogue: &catalogue{control: "public, max-age=10"}}
	begin := time.Now()
	s.gateway.cache.now = func() time.Time { return begin.Add(time.Duration(s.clock.Load())) }
	s.behind["inventory"].answers(s.ServeHTTP)
	return s
}

func (s *shop) later(d time.Duration) { s.clock.Add(int64(d)) }

// expect gets a path. It checks the answer, its Cache-Status, and how many requests inventory has received so far.
func (s *shop) expect(what, path string, status int, body, how string, requests int, headers ...string) gotten {
	s.Helper()
	a := s.call("GET", path, "", headers...)
	if a.StatusCode != status || !strings.Contains(a.body, body) {
		s.Errorf("%s: %s %q, not %d %q", what, a.Status, a.body, status, body)
	}
	if got := a.Header.Get("Cache-Status"); !strings.HasPrefix(got, how) || how == "" && got != "" {
		s.Errorf("%s: Cache-Status %q, not %q", what, got, how)
	}
	if got := s.behind["inventory"].requests(); got != requests {
		s.Errorf("%s: inventory was asked %d times, not %d", what, got, requests)
	}
	return a
}

func TestProductsAreServedFromMemoryWhileTheyAreFreshAndThenRevalidated(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, path := range []string{"/api/products", "/api/products/MUG", "/api/products/MUG/image"} {
		s.behind["inventory"].last() // forgets the requests so far
		s.expect("first", path, 200, path+` "v0"`, "orderflow; fwd=uri-miss; stored; ttl=10", 1)
		s.later(4 * time.Second)
		a := s.expect("again", path, 200, path+` "v0"`, "orderflow; hit; ttl=6", 1)
		if a.Header.Get("Age") != "4" || a.Header.Get("ETag") != `"v0"` || a.Header.Get("Cache-Control") != "public, max-age=10" || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v", a.Header)
		}
		s.later(6 * time.Second)
		s.expect("no longer fresh, the same", path, 200, `"v0"`, "orderflow; fwd=stale; fwd-status=304; stored; ttl=10", 2)
		s.expect("validated", path, 200, `"v0"`, "orderflow; hit; ttl=10", 2)
		s.expect("a reload", path, 200, `"v0"`, "orderflow; fwd=stale; fwd-status=304", 3, "Cache-Control", "no-cache")
		s.version.Add(1)
		s.later(10 * time.Second)
		s.expect("changed", path, 200, `"v1"`, "orderflow; fwd=stale; fwd-status=200", 4)
		s.version.Add(-1)
	}
}

func TestAClientThatHasTheAnswerGets304(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.expect("first", "/api/products", 200, `"v0"`, "orderflow; fwd=uri-miss", 1)
	for tag, status := range map[string]int{`"v0"`: 304, `W/"v0"`: 304, `"x", "v0"`: 304, "*": 304, `"v1"`: 200, "v0": 200} {
		a := s.expect(tag, "/api/products", status, "", "orderflow; hit", 1, "If-None-Match", tag)
		if a.Header.Get("ETag") != `"v0"` || (a.body == "") != (status == 304) {
			t.Errorf("%s: %q %v", tag, a.body, a.Header)
		}
	}
	a := s.call("HEAD", "/api/products", "")
	if a.StatusCode != 200 || a.body != "" || a.ContentLength == 0 {
		t.Errorf("HEAD: %s %q, %d bytes", a.Status, a.body, a.ContentLength)
	}
}

func TestWhenInventoryIsDownItsOldAnswersAreServed(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]func(*shop){
		"gone":     func(s *shop) { s.behind["inventory"].Close() },
		"broken":   func(s *shop) { s.behind["inventory"].answers(says(500, "text/html", "<h1>stack</h1>")) },
		"refusing": func(s *shop) { s.behind["inventory"].answers(says(503, "application/problem+json", `{}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.expect("well", "/api/products/MUG", 200, `"v0"`, "orderflow; fwd=uri-miss", 1)
			down(s)
			s.later(40 * time.Second)
			for range 30 { // more than are needed to open the breaker
				a := s.call("GET", "/api/products/MUG", "")
				if a.StatusCode != 200 || a.body != `/api/products/MUG "v0"` || a.Header.Get("Age") != "40" || !strings.HasPrefix(a.Header.Get("Cache-Status"), "orderflow; hit; detail=") || !strings.HasSuffix(a.Header.Get("Cache-Status"), "; ttl=-30") {
					t.Fatalf("%s %q %v", a.Status, a.body, a.Header)
				}
			}
			if a := s.call("GET", "/api/products/MUG", "", "If-None-Match", `"v0"`); a.StatusCode != 304 {
				t.Errorf("who has the old answer gets %s", a.Status)
			}
			a := s.call("GET", "/api/products/OTHER", "")
			if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
				t.Errorf("what was never asked for: %s, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
			}
			a.problem(t)
			s.later(time.Hour)
			if a := s.call("GET", "/api/products/MUG", ""); a.StatusCode != 503 {
				t.Errorf("after an hour: %s", a.Status)
			}
		})
	}
}

func TestWhenInventoryIsSlowTheOldAnswerIsServed(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *config) { c.Cache.Timeout, c.Upstream.Timeout = 50*time.Millisecond, 10*time.Second })
	s.expect("well", "/api/products", 200, `"v0"`, "orderflow; fwd=uri-miss", 1)
	release := make(chan struct{})
	s.behind["inventory"].answers(func(w http.ResponseWriter, r *http.Request) {
		<-release
		s.ServeHTTP(w, r)
	})
	s.version.Add(1)
	s.later(time.Minute)
	for range 3 {
		s.expect("slow", "/api/products", 200, `"v0"`, "orderflow; hit; detail=timeout", 2)
	}
	close(release)
	for deadline := time.Now().Add(30 * time.Second); s.call("GET", "/api/products", "").body != `/api/products "v1"`; {
		if time.Now().After(deadline) {
			t.Fatal("the slow answer never came")
		}
	}
}

func TestAnAnswerForOneCallerIsNeverKept(t *testing.T) {
	t.Parallel()
	for name, adapt := range map[string]func(*catalogue){
		"Set-Cookie": func(k *catalogue) { k.header = http.Header{"Set-Cookie": {"session=1"}} },
		"private":    func(k *catalogue) { k.control = "private, max-age=10" },
		"no-store":   func(k *catalogue) { k.control = "no-store, max-age=10" },
		"nothing":    func(k *catalogue) { k.control = "" },
		"Vary":       func(k *catalogue) { k.header = http.Header{"Vary": {"Accept-Language"}} },
	} {
		s := newShop(t)
		adapt(s.catalogue)
		for i := range 3 {
			a := s.expect(name, "/api/products", 200, `"v0"`, "orderflow; fwd=miss", i+1)
			if a.Header.Get("Set-Cookie") != "" || a.Header.Get("Age") != "" {
				t.Errorf("%s: %v", name, a.Header)
			}
		}
	}
	s := newShop(t)
	token := s.bearer("alice", "orders")
	for i := range 3 {
		s.expect("with a token", "/api/products", 200, "", "orderflow; fwd=bypass", 2*i+1, "Authorization", token)
		s.expect("with a query", "/api/products?x=1", 200, "", "orderflow; fwd=bypass", 2*i+2)
	}
	s.behind["inventory"].answers(says(404, "application/problem+json", `{"status":404}`))
	for i := range 3 {
		s.expect("not found", "/api/products/NONE", 404, "", "orderflow; fwd=miss", 7+i)
	}
	if s.behind["inventory"].last().Header.Get("Authorization") != "" {
		t.Error("inventory got a token for a public answer")
	}
}

// What operators are told about a product must never be served from memory, and their requests must not get a public copy.
func TestACopyOfAProductIsNeverForOrFromAnOperator(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.behind["inventory"].answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Authorization")
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("Cache-Control", "public, max-age=10")
			_, _ = io.WriteString(w, "public")
			return
		}
		w.Header().Set("Cache-Control", "private, no-cache")
		_, _ = io.WriteString(w, "secret")
	})
	olga, alice := s.bearer("olga", "operations"), s.bearer("alice", "orders")
	const path = "/api/products/MUG"
	s.expect("an operator", path, 200, "secret", "orderflow; fwd=bypass", 1, "Authorization", olga)
	s.expect("the first of the public", path, 200, "public", "orderflow; fwd=uri-miss; stored", 2)
	s.expect("an operator, beside a copy", path, 200, "secret", "orderflow; fwd=bypass", 3, "Authorization", olga)
	s.expect("a customer", path, 200, "", "orderflow; fwd=bypass", 4, "Authorization", alice)
	a := s.expect("the public again", path, 200, "public", "orderflow; hit", 4)
	if vary := strings.Join(a.Header.Values("Vary"), ", "); !strings.Contains(vary, "Authorization") {
		t.Errorf("caches between us and the client are not told: Vary is %q", vary)
	}
	for _, bad := range []string{"Bearer x", "Basic b2xnYTpkZW1v"} {
		s.expect("a token that is not good", path, 401, "", "", 4, "Authorization", bad)
	}
	s.clock.Add(int64(time.Minute))
	s.expect("a stale copy", path, 200, "secret", "orderflow; fwd=bypass", 5, "Authorization", olga)
	s.expect("a stale copy", path, 200, "public", "orderflow; fwd=stale", 6)
}

func TestAStampedeIsOneRequest(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *config) { c.Upstream.Timeout = 10 * time.Second })
	begin := time.Now()
	s.gateway.addresses.now = func() time.Time { return begin } // the clock stands still, so that tokens are not given back
	release := make(chan struct{})
	s.behind["inventory"].answers(func(w http.ResponseWriter, r *http.Request) {
		<-release
		s.ServeHTTP(w, r)
	})
	ctx, leave := context.WithCancel(t.Context())
	first, _ := http.NewRequestWithContext(ctx, "GET", s.url+"/api/products", nil)
	var callers sync.WaitGroup
	callers.Go(func() { _, _ = direct.Transport.RoundTrip(first) })
	for s.behind["inventory"].requests() == 0 {
		time.Sleep(time.Millisecond) // until the first request has arrived
	}
	var collapsed atomic.Int32
	for range 100 {
		callers.Go(func() {
			a := s.call("GET", "/api/products", "")
			if a.StatusCode != 200 || a.body != `/api/products "v0"` {
				t.Errorf("%s %q", a.Status, a.body)
			}
			if strings.Contains(a.Header.Get("Cache-Status"), "collapsed") {
				collapsed.Add(1)
			}
		})
	}
	leave() // the request goes on although its caller has left
	for s.gateway.addresses.known("127.0.0.1") < 101 {
		time.Sleep(time.Millisecond) // until the other requests have arrived
	}
	close(release)
	callers.Wait()
	if got := s.behind["inventory"].requests(); got != 1 || collapsed.Load() == 0 {
		t.Errorf("%d requests, %d answers shared", got, collapsed.Load())
	}
}

// known returns how many tokens a client has taken and not got back.
func (l *limiter) known(client string) int {
	b, ok := l.buckets.GetIfPresent(client)
	if !ok {
		return 0
	}
	return int(l.burst - b.TokensAt(l.now()))
}

func TestAChangeByAnOperatorIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, change := range [][2]string{{"PUT", "/api/products/MUG"}, {"POST", "/api/products/MUG/stock"}} {
		for _, path := range []string{"/api/products", "/api/products/MUG"} {
			s.call("GET", path, "")
		}
		s.version.Add(1)
		s.call(change[0], change[1], "{}", "Authorization", s.bearer("olga", "operations"))
		for _, path := range []string{"/api/products", "/api/products/MUG"} {
			if a := s.call("GET", path, ""); !strings.Contains(a.body, fmt.Sprintf("v%d", s.version.Load())) {
				t.Errorf("after %v: %s is %q", change, path, a.body)
			}
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *config) { c.Cache.Bytes = 3500 })
	for i := range 100 {
		s.call("GET", fmt.Sprintf("/api/products/P%d", i), "")
		s.call("GET", "/api/products", "") // it is used, and is therefore kept
	}
	entries := s.gateway.cache.entries
	entries.CleanUp()
	if n := entries.EstimatedSize(); n == 0 || n > 3 || entries.WeightedSize() > 3500 || s.gateway.cache.get("/api/products") == nil {
		t.Errorf("%d entries, %d bytes", n, entries.WeightedSize())
	}
	s = newShop(t, func(c *config) { c.Cache.Bytes = 0 })
	s.call("GET", "/api/products", "")
	s.gateway.cache.entries.CleanUp()
	s.expect("no room", "/api/products", 200, `"v0"`, "orderflow; fwd=uri-miss", 2)
	s = newShop(t)
	s.behind["inventory"].answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=10")
		_, _ = io.WriteString(w, strings.Repeat("x", cachedMost+1))
	})
	if a := s.call("GET", "/api/products", ""); a.StatusCode != http.StatusBadGateway {
		t.Errorf("an answer that is too big: %s", a.Status)
	}
}

func TestCacheControlIsReadAsByASharedCache(t *testing.T) {
	t.Parallel()
	for control, want := range map[string]struct {
		fresh  time.Duration
		public bool
	}{
		"":                                 {0, false},
		"public":                           {0, true},
		"max-age=5":                        {5 * time.Second, true},
		"Public, Max-Age=\"5\"":            {5 * time.Second, true},
		"public, max-age=5, s-maxage=7":    {7 * time.Second, true},
		"no-cache, max-age=5":              {0, true},
		"max-age=5, no-cache":              {0, true},
		"max-age=5, no-store":              {0, false},
		"s-maxage=5, private":              {0, false},
		"max-age=soon":                     {0, true},
		"max-age=-1":                       {0, true},
		"max-age=99999999999999999999":     {0, true},
		"must-revalidate, unknown-thing=1": {0, false},
	} {
		fresh, public := freshness(http.Header{"Cache-Control": {control}})
		if fresh != want.fresh || public != want.public {
			t.Errorf("%q: %s, public: %t", control, fresh, public)
		}
	}
}
