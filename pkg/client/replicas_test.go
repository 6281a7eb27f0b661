package client

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/caarlos0/env/v11"
)

func TestReplicasTakeTurns(t *testing.T) {
	t.Parallel()
	a, b := serve(t, status(200)), serve(t, status(200))
	c := New(Config{Name: "upstream", URLs: URLs{a.URL, b.URL}})
	for range 10 {
		if _, _, err := outcome(t, c, request(t, "GET", "", "")); err != nil {
			t.Fatal(err)
		}
	}
	if a.requests() != 5 || b.requests() != 5 {
		t.Errorf("%d and %d requests", a.requests(), b.requests())
	}
}

func TestABrokenReplicaIsLeftAloneAndTheOthersServe(t *testing.T) {
	t.Parallel()
	well, broken := serve(t, status(200)), serve(t, status(500))
	dead := gone(t)
	c := New(Config{Name: "upstream", URLs: URLs{broken.URL, well.URL, dead}, BreakerDelay: time.Hour})
	for range 60 {
		if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
			t.Fatalf("status %d, error %v", got, err)
		}
	}
	if broken.requests() != breakerFailures || well.requests() != 60 {
		t.Errorf("the broken replica got %d requests, the good one %d", broken.requests(), well.requests())
	}
}

func TestAReplicaWhoseBreakerIsOpenCostsNoAttempt(t *testing.T) {
	t.Parallel()
	n := serve(t, status(201))
	c := New(Config{Name: "upstream", URLs: URLs{gone(t), gone(t), n.URL, gone(t)}, Retries: -1, BreakerDelay: time.Hour})
	for i, r := range c.replicas.known() {
		if i != 2 {
			r.breaker.Open()
		}
	}
	for range 8 {
		if got, _, err := outcome(t, c, request(t, "POST", "x", "")); got != 201 {
			t.Fatalf("status %d, error %v", got, err)
		}
	}
}

func TestABreakerOpensTriesAndCloses(t *testing.T) {
	t.Parallel()
	n := serve(t, status(500))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Retries: -1, BreakerDelay: time.Second})
	ask := func() (int, error) {
		got, _, err := outcome(t, c, request(t, "GET", "", ""))
		return got, err
	}
	for range breakerFailures {
		if got, err := ask(); got != 500 {
			t.Fatalf("status %d, error %v", got, err)
		}
	}
	_, err := ask()
	if f := wantKind(t, err, fault.Unavailable); f.RetryAfter <= 0 || Ambiguous(err) {
		t.Errorf("an open breaker: retry after %s, ambiguous: %t", f.RetryAfter, Ambiguous(err))
	}
	if n.requests() != breakerFailures {
		t.Errorf("%d requests arrived although the breaker is open", n.requests())
	}

	half := func() { until(t, "the breaker is ready for a trial", c.replicas.known()[0].ready) }
	half()
	if got, err := ask(); got != 500 {
		t.Errorf("the trial: status %d, error %v", got, err)
	}
	if _, err := ask(); err == nil {
		t.Error("a trial that failed leaves the breaker open no longer")
	}
	if n.requests() != breakerFailures+1 {
		t.Errorf("%d requests after one trial", n.requests())
	}

	half()
	n.follow(status(200))
	for range 5 {
		if got, err := ask(); got != 200 {
			t.Errorf("after a good trial: status %d, error %v", got, err)
		}
	}
	if !c.replicas.known()[0].breaker.IsClosed() {
		t.Error("the breaker is not closed")
	}
}

// An upstream is away for a moment and comes back. Then no breaker refuses a call: neither because of the failures before,
// nor because of one more failure that is not the first of many.
func TestFailuresBeforeARecoveryOpenNoBreakerAfterIt(t *testing.T) {
	t.Parallel()
	for _, failing := range []int{1, 2, 3} { // calls, of three attempts each: at most one attempt less than opens the breaker
		n := serve(t, status(500))
		c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Retries: 2, BreakerDelay: time.Hour})
		ask := func(times, want int) {
			t.Helper()
			for i := range times {
				if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != want {
					t.Fatalf("after %d calls that failed, call %d: status %d, error %v, not %d", failing, i+1, got, err, want)
				}
			}
		}
		ask(failing, 500)
		n.follow(status(200), status(500), status(200))
		ask(2*breakerFailures, 200)
	}
}

// Callers that give up on an upstream that hangs say nothing about it, and do not clear failures that other calls have
// found.
func TestCallersThatLeaveDoNotClearFailures(t *testing.T) {
	t.Parallel()
	n := serve(t, status(500))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Retries: -1, BreakerDelay: time.Hour})
	for range breakerFailures - 1 {
		if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 500 {
			t.Fatalf("status %d, error %v", got, err)
		}
	}
	n.follow(hang)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		until(t, "the request arrives", func() bool { return n.requests() > 0 })
		cancel()
	}()
	if _, _, err := outcome(t, c, requestIn(ctx, "GET", "", "")); err == nil {
		t.Error("no error")
	}
	n.follow(status(500))
	if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 500 {
		t.Errorf("status %d, error %v", got, err)
	}
	if !c.replicas.known()[0].breaker.IsOpen() {
		t.Errorf("after %d failures in a row the breaker is not open", breakerFailures)
	}
}

func TestAnOpenBreakerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	n := serve(t, status(500))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Retries: 5, BreakerDelay: time.Hour})
	c.replicas.known()[0].breaker.Open()
	fastest := time.Hour // of some calls: the machine may be slow for a while
	for range 50 {
		begun := time.Now()
		_, _, err := outcome(t, c, request(t, "GET", "", ""))
		wantKind(t, err, fault.Unavailable)
		if fastest = min(fastest, time.Since(begun)); fastest < minBackoff/2 {
			break
		}
	}
	if fastest > minBackoff/2 || n.requests() != 0 {
		t.Errorf("took %s and %d requests", fastest, n.requests())
	}
}

func TestCallersThatLeaveSayNothingAboutTheUpstream(t *testing.T) {
	t.Parallel()
	n := serve(t, hang)
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, BreakerDelay: time.Millisecond})
	breaker := c.replicas.known()[0].breaker
	leave := func() {
		before := n.requests()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			until(t, "the request arrives", func() bool { return n.requests() > before })
			cancel()
		}()
		if _, _, err := outcome(t, c, requestIn(ctx, "GET", "", "")); err == nil {
			t.Error("no error")
		}
	}
	for range 2 * breakerFailures {
		leave()
	}
	if !breaker.IsClosed() {
		t.Error("the breaker is open because of callers who left")
	}
	breaker.HalfOpen()
	leave()
	if breaker.IsClosed() {
		t.Error("the breaker has closed because of a caller who left")
	}
}

func TestAnUpstreamThatComposesIsNotBlamedForOthers(t *testing.T) {
	t.Parallel()
	n := serve(t, status(503))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Composes: true})
	for range 2 * breakerFailures {
		if got, body, err := outcome(t, c, request(t, "GET", "", "")); got != 503 || body == "" {
			t.Fatalf("status %d, %q, error %v", got, body, err)
		}
	}
	if n.requests() != 2*breakerFailures {
		t.Errorf("%d requests", n.requests())
	}
	n.follow(status(500), status(200))
	if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
		t.Errorf("its own failure: status %d, error %v", got, err)
	}
}

func TestABulkheadKeepsASlowUpstreamFromTakingEverything(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	n := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(http.StatusOK)
	})
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Bulkhead: 3, Retries: -1})
	var held sync.WaitGroup
	for range 3 {
		held.Go(func() {
			if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
				t.Errorf("status %d, error %v", got, err)
			}
		})
	}
	until(t, "three requests arrive", func() bool { return n.requests() == 3 })
	for range breakerFailures {
		_, _, err := outcome(t, c, request(t, "POST", "x", ""))
		wantKind(t, err, fault.Unavailable)
		if Ambiguous(err) {
			t.Error("a request that the bulkhead has refused is called ambiguous")
		}
	}
	if n.requests() != 3 || !c.replicas.known()[0].breaker.IsClosed() {
		t.Errorf("%d requests arrived; the breaker is %s", n.requests(), c.replicas.known()[0].breaker.State())
	}
	close(release)
	held.Wait()
	if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
		t.Errorf("afterwards: status %d, error %v", got, err)
	}
}

func TestAPathIsPutBehindTheReplicasAddressAsItIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, path, want string }{
		{"http://h:1", "/a/b?c=d&e", "http://h:1/a/b?c=d&e"},
		{"http://h:1/", "/a", "http://h:1/a"},
		{"http://h:1/base", "/a", "http://h:1/base/a"},
		{"http://h:1/base/", "/a%2Fb/c", "http://h:1/base/a%2Fb/c"},
		{"http://h:1", "/a%2Fb//../c", "http://h:1/a%2Fb//../c"},
		{"https://h", "/%C3%A4?q=%20", "https://h/%C3%A4?q=%20"},
		{"http://h/b%2Fc", "/ä", "http://h/b%2Fc/%C3%A4"},
	} {
		base, err := parseBase(test.base)
		if err != nil {
			t.Fatal(err)
		}
		path, err := url.Parse(test.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&replica{base: base}).resolve(path).String(); got != test.want {
			t.Errorf("%s and %s make %s, not %s", test.base, test.path, got, test.want)
		}
	}
}

func TestURLsAndTimeoutsAreSettings(t *testing.T) {
	t.Parallel()
	type settings struct {
		Orders URLs   `env:"ORDERS_URL" envDefault:"http://localhost:8082"`
		Calls  Config `envPrefix:"CALLS_"`
	}
	cfg, err := env.ParseAsWithOptions[settings](env.Options{Environment: map[string]string{
		"ORDERS_URL": "http://a:1, https://b/base", "CALLS_TIMEOUT": "3s", "CALLS_BULKHEAD": "7", "CALLS_RETRIES": "-1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	calls := cfg.Calls.withDefaults()
	if len(cfg.Orders) != 2 || cfg.Orders[1] != "https://b/base" || calls.Timeout != 3*time.Second || calls.Bulkhead != 7 || calls.Retries != 0 || calls.Total != 8*time.Second {
		t.Errorf("the settings are %+v", cfg)
	}
	for _, wrong := range []string{"localhost:8082", "http://", "http://:80", "ftp://a", "http://a,", "http://a?b", "http://u:p@a", "http://a b"} {
		_, err := env.ParseAsWithOptions[settings](env.Options{Environment: map[string]string{"ORDERS_URL": wrong}})
		if err == nil || !strings.Contains(err.Error(), "Orders") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestADirectoryIsASetting(t *testing.T) {
	t.Parallel()
	type settings struct {
		Services Directory `env:"SERVICES"`
	}
	cfg, err := env.ParseAsWithOptions[settings](env.Options{Environment: map[string]string{
		"SERVICES": "orders=http://a:1, payments=https://b/base,\n orders=http://c:2",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Directory{"orders": {"http://a:1", "http://c:2"}, "payments": {"https://b/base"}}
	if !maps.EqualFunc(cfg.Services, want, slices.Equal[URLs]) {
		t.Errorf("the setting is %v", cfg.Services)
	}
	for _, wrong := range []string{"http://a:1", "orders", "orders=", "=http://a:1", "orders=http://a:1,", "orders=localhost:8082", "orders=http://a:1,http://c:2"} {
		_, err := env.ParseAsWithOptions[settings](env.Options{Environment: map[string]string{"SERVICES": wrong}})
		if err == nil || !strings.Contains(err.Error(), "Services") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
