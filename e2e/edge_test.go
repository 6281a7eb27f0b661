package e2e

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
)

// The promises of the gateway and bff-web when an upstream is away or clients ask too much of them. The subtests run one after
// another, because each takes away a part of the system that they share.
func TestTheEdge(t *testing.T) {
	t.Parallel()
	s := start(t, map[string]int{"bff-web": 3}, map[string][]string{
		"gateway":   {"RATE_PER_CALLER=60", "RATE_PER_ADDRESS=5000", "STREAMS=2100", "STREAMS_PER_ADDRESS=2050"},
		"bff-web":   {"STREAMS_EACH=2000"},
		"simulator": settings["simulator"],
		"orders":    settings["orders"],
	})
	for _, test := range []struct {
		name string
		test func(*testing.T, *system.System)
	}{
		{"products are served stale while inventory is away", staleProducts},
		{"a caller who asks too much is told when to come back, and others are served", rateLimits},
		{"a stream outlives the replica that serves it and the broker", streamOutlives},
		{"two thousand follow an order live", manyStreams},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(t, s) })
	}
}

func staleProducts(t *testing.T, s *system.System) {
	c := stories.New(t, world(s))
	stories.Until(t, "the product and the list are known", func() bool {
		a, err := c.Call("", http.MethodGet, "/api/products/MUG-BLUE", "")
		return err == nil && a.Status == http.StatusOK
	})
	fresh := c.Must(http.StatusOK, "", http.MethodGet, "/api/products", "")
	tag := fresh.Header.Get("ETag")
	if tag == "" || !strings.Contains(fresh.Header.Get("Cache-Control"), "max-age") {
		t.Errorf("a product list cannot be validated: %v", fresh.Header)
	}
	for range 12 { // at least once by each replica of bff-web
		c.Must(http.StatusOK, "", http.MethodGet, "/", "", "Accept", "text/html")
	}
	inventory := s.Program("inventory", 1)
	if err := inventory.Stop(); err != nil {
		t.Fatal(err)
	}
	stale := fresh
	stories.Until(t, "the copy is no longer fresh", func() bool {
		stale = c.Must(http.StatusOK, "", http.MethodGet, "/api/products", "")
		return strings.Contains(stale.Header.Get("Cache-Status"), "detail=")
	})
	if age, err := strconv.Atoi(stale.Header.Get("Age")); err != nil || age < 1 || string(stale.Body) != string(fresh.Body) {
		t.Errorf("the stale copy has Age %q (%v)", stale.Header.Get("Age"), err)
	}
	c.Must(http.StatusNotModified, "", http.MethodGet, "/api/products", "", "If-None-Match", tag)
	for what, a := range map[string]stories.Answer{
		"a product that was never asked for":  c.Must(http.StatusServiceUnavailable, "", http.MethodGet, "/api/products/PEN-FOUNTAIN", ""),
		"the stock, which is not for callers": c.Must(http.StatusServiceUnavailable, "olga", http.MethodGet, "/api/stock", ""),
	} {
		if a.Header.Get("Retry-After") == "" || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %v", what, a.Header)
		}
	}
	page := c.Must(http.StatusOK, "", http.MethodGet, "/", "", "Accept", "text/html")
	if !strings.Contains(string(page.Body), "Inventory does not answer") || !strings.Contains(string(page.Body), "MUG-BLUE") {
		t.Errorf("the shop without inventory: %s", page.Body)
	}
	id := c.Place(stories.Wish{SKU: "MUG-BLUE"})
	if err := inventory.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if end := c.End(id); end.Status != "delivered" {
		t.Errorf("an order placed meanwhile ended %s", end.Status)
	}
	stories.Until(t, "the list is fresh again", func() bool {
		return !strings.Contains(c.Must(http.StatusOK, "", http.MethodGet, "/api/products", "").Header.Get("Cache-Status"), "detail=")
	})
}

func rateLimits(t *testing.T, s *system.System) {
	c := stories.New(t, world(s))
	var refused, served atomic.Int64
	var callers sync.WaitGroup
	// Even on a slow machine, bob at some time sends requests faster than the limit allows.
	enough := func() bool { return refused.Load() > 0 && served.Load() >= 120 }
	for i := range 16 {
		callers.Go(func() {
			for asked := 0; asked < 20 || asked < 500 && !enough(); asked++ {
				// The gateway does not trust this client, so X-Forwarded-For does not make it look like many clients.
				a, err := c.Call("bob", http.MethodGet, "/api/orders", "", "X-Forwarded-For", "10.0.0."+strconv.Itoa(i))
				switch {
				case err == nil && a.Status == http.StatusOK && a.Header.Get("RateLimit") != "" && a.Header.Get("RateLimit-Policy") != "":
					served.Add(1)
				case err == nil && a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("%v %d %v", err, a.Status, a.Header)
				}
			}
		})
	}
	callers.Wait()
	if !enough() {
		t.Errorf("%d requests were served and %d refused; 120 may come at once, and 60 a second", served.Load(), refused.Load())
	}
	c.Must(http.StatusOK, "alice", http.MethodGet, "/api/orders", "")
	stories.Until(t, "bob is served again", func() bool {
		a, err := c.Call("bob", http.MethodGet, "/api/orders", "")
		return err == nil && a.Status == http.StatusOK
	})
}

// A reader who reconnects with Last-Event-ID gets every entry once, from any replica, including entries from the time when the
// broker was away.
func streamOutlives(t *testing.T, s *system.System) {
	c := stories.New(t, world(s))
	payments := s.Program("payments", 1)
	if err := payments.Stop(); err != nil {
		t.Fatal(err)
	}
	id := c.Place(stories.Wish{SKU: "MUG-BLUE"})
	c.Reach(id, "reserved")
	r := follow(t, c, id)
	stories.Until(t, "what has happened is told", func() bool { return r.seen() == "1 2" })
	for number := 1; number <= 3; number++ {
		replica := s.Program("bff-web", number)
		if number == 2 {
			replica.Kill()
		} else if err := replica.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := replica.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rabbit.Stop(); err != nil {
		t.Fatal(err)
	}
	stories.Until(t, "the stream is open although the broker is away", func() bool { return r.connected.Load() })
	if err := s.Rabbit.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := payments.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stories.Until(t, "all is told, once and in order, and the stream has ended", func() bool { return r.ended.Load() })
	if got := r.seen(); got != "1 2 3 4 5 6 7" {
		t.Errorf("the reader has seen %s", got)
	}
	t.Logf("the reader connected %d times", r.connections.Load())
}

// While an order waits, two thousand streams of it are open at the same time; then each gets the remaining entries.
func manyStreams(t *testing.T, s *system.System) {
	const many = 2000
	c := stories.New(t, world(s))
	payments := s.Program("payments", 1)
	if err := payments.Stop(); err != nil {
		t.Fatal(err)
	}
	id := c.Place(stories.Wish{SKU: "MUG-BLUE"})
	c.Reach(id, "reserved")
	before := memory(t, s)
	readers := make([]*reader, many)
	for i := range readers {
		readers[i] = follow(t, c, id)
		if i%50 == 49 { // not all at the same moment
			time.Sleep(100 * time.Millisecond)
		}
	}
	open := func() (n int, each string) {
		for number := 1; number <= 3; number++ {
			here := int(metric(t, s.Program("bff-web", number).URL, "live_streams"))
			n, each = n+here, each+" "+strconv.Itoa(here)
		}
		return n, each
	}
	stories.Until(t, "all streams are open", func() bool { n, _ := open(); return n == many })
	_, each := open()
	after := memory(t, s)
	t.Logf("%d streams:%s in the replicas; %.1f kB for each stream in gateway and bff-web together", many, each, (after-before)/many/1024)
	if (after-before)/many > 256*1024 {
		t.Errorf("a stream takes %.0f bytes", (after-before)/many)
	}
	if a, err := c.Call("alice", http.MethodGet, "/api/orders", ""); err != nil || a.Status != http.StatusOK {
		t.Errorf("with all those streams an ordinary request gets %v %d", err, a.Status)
	}
	if err := payments.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stories.Until(t, "every stream has ended", func() bool {
		for _, r := range readers {
			if !r.ended.Load() {
				return false
			}
		}
		return true
	})
	for i, r := range readers {
		if got := r.seen(); got != "1 2 3 4 5 6 7" {
			t.Errorf("reader %d has seen %s", i, got)
		}
	}
	stories.Until(t, "nobody holds a stream any more", func() bool { n, _ := open(); return n == 0 })
}

// reader follows an order as an EventSource does: it reconnects with the id of the last entry that it has seen.
type reader struct {
	mu   sync.Mutex
	ids  []string
	last string // of ids

	connected, ended atomic.Bool
	connections      atomic.Int64
}

func (r *reader) seen() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.ids, " ")
}

func follow(t *testing.T, c *stories.Client, id string) *reader {
	t.Helper()
	r, alice, ctx := &reader{}, c.As("alice"), t.Context()
	go func() {
		for ; ctx.Err() == nil && !r.ended.Load(); time.Sleep(200 * time.Millisecond) {
			r.connect(ctx, alice, id)
		}
	}()
	return r
}

func (r *reader) connect(ctx context.Context, alice *shop.Client, id string) {
	defer r.connected.Store(false)
	for e, err := range alice.Events(ctx, id, r.last) {
		if err != nil {
			return
		}
		if !r.connected.Swap(true) { // the first event comes at once
			r.connections.Add(1)
		}
		if e.ID != "" {
			r.mu.Lock()
			r.ids, r.last = append(r.ids, e.ID), e.ID
			r.mu.Unlock()
		}
		if e.Name == "end" {
			r.ended.Store(true)
		}
	}
}

// metric reads a metric of a program, summed over all label values.
func metric(t *testing.T, base, name string) (sum float64) {
	t.Helper()
	a, err := stories.Send(t.Context(), http.MethodGet, base+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(a.Body)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if family, _, _ := strings.Cut(key, "{"); family == name {
			n, err := strconv.ParseFloat(value[strings.LastIndex(value, " ")+1:], 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			sum += n
		}
	}
	return sum
}

// memory is the memory that gateway and bff-web use.
func memory(t *testing.T, s *system.System) (bytes float64) {
	t.Helper()
	bytes = metric(t, s.AdminURL, "process_resident_memory_bytes")
	for number := 1; number <= 3; number++ {
		bytes += metric(t, s.Program("bff-web", number).URL, "process_resident_memory_bytes")
	}
	return cmp.Or(bytes, -1)
}
