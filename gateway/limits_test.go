package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/local/direct"
)

func TestACallerAndAnAddressHaveTheirRate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.Limits.PerAddress, c.Limits.PerCaller = 10, 2 })
	var clock atomic.Int64
	begin := time.Now()
	now := func() time.Time { return begin.Add(time.Duration(clock.Load())) }
	f.gateway.addresses.now, f.gateway.callers.now = now, now
	as := func(who string) gotten {
		return f.call("GET", "/api/orders", "", "Authorization", f.bearer(who, "orders"))
	}

	for i := range 4 {
		a := as("alice")
		if a.StatusCode != 200 {
			t.Fatalf("request %d: %s", i, a.Status)
		}
		want := []string{fmt.Sprintf(`"address";r=%d;t=%d`, 19-i, (i+10)/10), fmt.Sprintf(`"caller";r=%d;t=%d`, 3-i, (i+2)/2)}
		if got := a.Header.Values("RateLimit"); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("request %d: RateLimit %q, not %q", i, got, want)
		}
		if got := a.Header.Values("RateLimit-Policy"); len(got) != 2 || got[0] != `"address";q=20;w=2` || got[1] != `"caller";q=4;w=2` {
			t.Errorf("RateLimit-Policy %q", got)
		}
	}
	a := as("alice")
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "1" {
		t.Errorf("one too many: %s, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	a.problem(t)
	f.behind["orders"].last()
	if as("alice"); f.behind["orders"].last() != nil {
		t.Error("orders was asked")
	}
	if a := as("bob"); a.StatusCode != 200 {
		t.Errorf("another caller: %s", a.Status)
	}
	clock.Add(int64(time.Second))
	if a := as("alice"); a.StatusCode != 200 || a.Header.Values("RateLimit")[1] != `"caller";r=1;t=2` {
		t.Errorf("a second later: %s, %q", a.Status, a.Header.Values("RateLimit"))
	}

	for range 20 {
		a = f.call("GET", "/cart", "")
	}
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("the address: %s", a.Status)
	}
	a.problem(t)
	for _, path := range []string{"/livez", "/readyz"} {
		if a := f.call("GET", path, ""); a.StatusCode != 200 || a.Header.Get("RateLimit") != "" {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
}

func TestAddressesAreThoseOfTheClientsBehindATrustedProxy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) {
		c.Limits.PerAddress = 1
		if err := c.Proxies.UnmarshalText([]byte("127.0.0.1")); err != nil {
			t.Fatal(err)
		}
	})
	frozen := time.Now()
	f.gateway.addresses.now = func() time.Time { return frozen }
	spent := func(address string) bool {
		for range 2 {
			f.call("GET", "/cart", "", "X-Forwarded-For", address)
		}
		return f.call("GET", "/cart", "", "X-Forwarded-For", address).StatusCode == http.StatusTooManyRequests
	}
	for _, address := range []string{"203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8:0:1::1"} {
		if !spent(address) {
			t.Errorf("%s has no limit of its own", address)
		}
	}
	if a := f.call("GET", "/cart", "", "X-Forwarded-For", "2001:db8::2"); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("another address of the same network: %s", a.Status)
	}
	a := f.call("GET", "/cart", "", "X-Forwarded-For", "203.0.113.77, 203.0.113.9", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "Shop.Example:8443")
	seen := f.behind["bff"].last()
	if seen.Header.Get("X-Forwarded-For") != "203.0.113.9" || seen.Header.Get("X-Forwarded-Proto") != "https" || seen.Header.Get("X-Forwarded-Host") != "Shop.Example:8443" {
		t.Errorf("the pages got %v", seen.Header)
	}
	if a.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS behind TLS")
	}
}

func TestALimiterRemembersABoundedNumberOfClients(t *testing.T) {
	t.Parallel()
	l := newLimiter("address", 1)
	l.buckets.SetMaximum(100)
	for i := range 1000 {
		l.take("busy")
		l.take(fmt.Sprint(i))
	}
	l.buckets.CleanUp()
	if n := l.buckets.EstimatedSize(); n > 100 {
		t.Errorf("%d clients", n)
	}
	if _, _, ok := l.take("busy"); ok {
		t.Error("who comes all the time was forgotten")
	}
	if _, _, ok := l.take("1"); !ok {
		t.Error("who was away for long was not")
	}
}

// A map that forgets the client that was away for longest forgets all of them, each just before it comes again.
func TestMoreClientsThanALimiterRemembersAreStillLimited(t *testing.T) {
	t.Parallel()
	l := newLimiter("address", 0.001)
	l.buckets.SetMaximum(1000)
	refused := 0
	for range 10 {
		for i := range 1500 {
			if _, _, ok := l.take(fmt.Sprint(i)); !ok {
				refused++
			}
		}
	}
	if refused < 1000 {
		t.Errorf("%d of 15000 requests are refused", refused)
	}
}

func TestByDefaultTwoHundredRequestsASecondAreNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.bearer("alice", "orders")
	var callers sync.WaitGroup
	for range 10 { // not all at once: a busy machine could not open a hundred connections in time
		callers.Go(func() {
			for range 20 {
				if a := f.call("GET", "/api/orders", "", "Authorization", token); a.StatusCode != 200 {
					t.Errorf("%s %s", a.Status, a.body)
				}
			}
		})
	}
	callers.Wait()
}

// An upstream that does one thing at a time: requests beyond that wait longer and longer.
func TestLoadBeyondTheCapacityOfAnUpstreamIsShedBeforeItCollapses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) {
		c.Upstream.Timeout, c.Upstream.Total = 30*time.Second, 30*time.Second
		c.Limits.PerAddress, c.Limits.PerCaller = 0, 0
		c.Limits.ConcurrencyLeast, c.Limits.ConcurrencyFirst, c.Limits.ConcurrencyMost = 2, 20, 200
	})
	var one sync.Mutex
	var most, waiting atomic.Int32
	f.behind["orders"].answers(func(http.ResponseWriter, *http.Request) {
		now := waiting.Add(1)
		defer waiting.Add(-1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
		one.Lock()
		defer one.Unlock()
		time.Sleep(2 * time.Millisecond) // the work
	})
	token := f.bearer("alice", "orders")
	var served, shed atomic.Int32
	var callers sync.WaitGroup
	begun := time.Now()
	goOn := func() bool { // for 4 seconds, or longer until there are results
		took := time.Since(begun)
		return took < 4*time.Second || took < time.Minute && (served.Load() < 50 || shed.Load() == 0)
	}
	for range 60 {
		callers.Go(func() {
			for goOn() {
				switch a := f.call("GET", "/api/orders", "", "Authorization", token); {
				case a.StatusCode == 200:
					served.Add(1)
				case a.StatusCode == 503 && a.Header.Get("Retry-After") != "":
					shed.Add(1)
					time.Sleep(10 * time.Millisecond) // it retries much sooner than Retry-After says
				default:
					t.Errorf("%s %s", a.Status, a.body)
				}
			}
		})
	}
	callers.Wait()
	if shed.Load() == 0 || most.Load() > 40 || served.Load() < 50 {
		t.Errorf("%d served, %d shed, at most %d at once", served.Load(), shed.Load(), most.Load())
	}
	if a := f.call("GET", "/api/products", ""); a.StatusCode != 200 {
		t.Errorf("another upstream: %s", a.Status)
	}
	t.Logf("%d served, %d shed, at most %d at once, the limit is %d", served.Load(), shed.Load(), most.Load(), f.gateway.upstreams.services["orders"].limit.Limit())
}

func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func (f *fixture) stream(headers ...string) *http.Response {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), "GET", f.url+"/api/orders/1/tracking", nil)
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Authorization", f.bearer("alice", "orders"))
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := direct.Transport.RoundTrip(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { answer.Body.Close() })
	return answer
}

func TestOpenStreamsAreBoundedAndDoNotCountAsRequestsThatWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) {
		c.Limits.Streams, c.Limits.StreamsPerAddress = 6, 4
		c.Limits.ConcurrencyLeast, c.Limits.ConcurrencyFirst, c.Limits.ConcurrencyMost, c.Upstream.Bulkhead = 2, 2, 2, 2
		if err := c.Proxies.UnmarshalText([]byte("127.0.0.1")); err != nil {
			t.Fatal(err)
		}
	})
	f.behind["bff"].answers(endless)
	var open []*http.Response
	take := func(status int, from string) {
		t.Helper()
		s := f.stream("X-Forwarded-For", from)
		if s.StatusCode != status || status != 200 && s.Header.Get("Retry-After") == "" {
			t.Errorf("from %s: %s", from, s.Status)
		}
		if status == 200 {
			open = append(open, s)
		}
	}
	for range 4 {
		take(200, "203.0.113.1")
	}
	take(429, "203.0.113.1")
	take(200, "203.0.113.2")
	take(200, "203.0.113.2")
	take(503, "203.0.113.3")
	f.behind["bff"].answers(says(200, "text/html", "page"))
	if a := f.call("GET", "/cart", ""); a.StatusCode != 200 {
		t.Errorf("a page meanwhile: %s", a.Status)
	}
	f.behind["bff"].answers(endless)
	for _, s := range open {
		s.Body.Close()
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		f.gateway.streams.mu.Lock()
		all, from := f.gateway.streams.all, len(f.gateway.streams.from)
		f.gateway.streams.mu.Unlock()
		if all == 0 && from == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d streams of %d addresses are still counted", all, from)
		}
	}
	take(200, "203.0.113.1")
}

func TestAClientThatDoesNotReadItsStreamIsDropped(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.StreamTimeout = 200 * time.Millisecond })
	dropped := make(chan struct{})
	f.behind["bff"].answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		piece := strings.Repeat("x", 1<<16)
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, piece)
		}
		close(dropped)
	})
	f.stream() // and does not read it
	select {
	case <-dropped:
	case <-time.After(time.Minute):
		t.Error("bff-web still writes")
	}
}
