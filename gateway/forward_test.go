package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/local/direct"
)

func TestAClientCannotSpeakAsTheGateway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.bearer("alice", "orders")
	a := f.call("GET", "/api/orders", "",
		"Authorization", token,
		"Authorization", f.bearer("olga", "operations"),
		"Connection", "Authorization, X-Request-Id, X-Forwarded-For, Accept-Language, close",
		"X-User-Id", "olga",
		"X-Scopes", "operations",
		"X-Forwarded-For", "10.0.0.1",
		"X-Forwarded-Host", "evil.example",
		"X-Forwarded-Proto", "https",
		"X-Real-Ip", "10.0.0.1",
		"X-Http-Method-Override", "DELETE",
		"X-Original-Url", "/api/operations/attention",
		"Forwarded", "for=10.0.0.1",
		"Cookie", "session=1",
		"Upgrade", "websocket",
		"X-Request-Id", "mine-1",
		"Accept", "application/json",
	)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	seen := f.behind["orders"].last()
	names := []string{}
	for header := range seen.Header {
		names = append(names, header)
	}
	slices.Sort(names)
	want := []string{"Accept", "Authorization", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id"}
	if !slices.Equal(slices.DeleteFunc(names, func(n string) bool { return n == "Traceparent" }), want) {
		t.Errorf("orders got the headers %q", names)
	}
	host := strings.TrimPrefix(f.url, "http://")
	for header, value := range map[string]string{
		"Authorization": token, "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": host, "X-Request-Id": "mine-1",
	} {
		if got := seen.Header[header]; len(got) != 1 || got[0] != value {
			t.Errorf("orders got %s: %q", header, got)
		}
	}
	if seen.Host != strings.TrimPrefix(f.behind["orders"].URL, "http://") {
		t.Errorf("orders got the host %q", seen.Host)
	}

	f.call("GET", "/cart", "", "Cookie", "session=1", "X-User-Id", "olga", "Authorization", token)
	if seen := f.behind["bff"].last(); seen.Header.Get("Cookie") != "session=1" || seen.Header.Get("X-User-Id") != "" || seen.Header.Get("Authorization") != "" {
		t.Errorf("the pages got %v", seen.Header)
	}
}

// The query is passed on unchanged. If the gateway dropped what it cannot read, the upstream could not refuse it, and the
// client would think that it was obeyed.
func TestAQueryArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, query := range []string{"limit=5&cursor=a%20b", "limit=5;cursor=1", "limit=5&%zz", "a=1&a=2", "&"} {
		f.call("GET", "/api/products?"+query, "")
		f.call("GET", "/api/orders?"+query, "", "Authorization", f.bearer("alice", "orders"))
		for _, name := range []string{"inventory", "orders"} {
			if got := f.behind[name].last().URL.RawQuery; got != query {
				t.Errorf("%s got %q of %q", name, got, query)
			}
		}
	}
}

func TestARequestKeepsItsIDAndABadOneGetsAnother(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.behind["inventory"].answers(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Request-Id", "of-inventory") })
	for id, kept := range map[string]bool{"mine-1": true, "": false, "a b": false, strings.Repeat("x", 65): false} {
		a := f.call("GET", "/api/products", "", "X-Request-Id", id)
		got := a.Header["X-Request-Id"]
		if len(got) != 1 || got[0] == "" || (got[0] == id) != kept || f.behind["inventory"].last().Header.Get("X-Request-Id") != got[0] {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestSizesHaveLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.bearer("alice", "orders")
	for name, body := range map[string]io.Reader{
		"announced":     strings.NewReader(strings.Repeat("x", 2<<20)),
		"not announced": io.MultiReader(strings.NewReader(strings.Repeat("x", 2<<20))),
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/api/orders", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		answer, err := direct.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s", name, answer.Status)
		}
		gotten{answer, string(text)}.problem(t)
	}
	a := f.call("GET", "/api/products", "", "Accept-Language", strings.Repeat("x", 40<<10))
	if a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: %s", a.Status)
	}
	a.problem(t)
	if f.behind["orders"].last() != nil || f.behind["inventory"].last() != nil {
		t.Error("a service was asked")
	}
}

func TestAProblemOfAServicePassesAndOtherErrorsBecomeOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	inventory := f.behind["inventory"]
	own := `{"type":"urn:x","title":"Conflict","status":409,"detail":"no"}`
	inventory.answers(says(409, "application/problem+json", own))
	if a := f.call("GET", "/api/products", ""); a.StatusCode != http.StatusConflict || a.body != own {
		t.Errorf("%s %s", a.Status, a.body)
	}
	for from, to := range map[int]int{500: 502, 501: 502, 502: 502, 503: 503, 504: 504, 429: 429, 404: 404, 413: 413, 400: 400} {
		f := newFixture(t) // a new one for each case: its breakers are closed
		f.behind["inventory"].answers(says(from, "text/html", "<h1>a stack, SQL and HTML</h1>"))
		a := f.call("PUT", "/api/products/x", "{}", "Authorization", f.bearer("olga", "operations"))
		if a.StatusCode != to || strings.Contains(a.body, "SQL") {
			t.Errorf("%d became %s %s", from, a.Status, a.body)
		}
		if later := to == 503 || to == 429; later != (a.Header.Get("Retry-After") != "") {
			t.Errorf("%d became %s with Retry-After %q", from, a.Status, a.Header.Get("Retry-After"))
		}
		a.problem(t)
	}
	f.behind["bff"].answers(says(503, "text/html", "<h1>later</h1>"))
	if a := f.call("GET", "/cart", ""); a.StatusCode != http.StatusServiceUnavailable || a.body != "<h1>later</h1>" {
		t.Errorf("a page: %s %s", a.Status, a.body)
	}
	if a := f.call("GET", "/api/operations/dead-letters", "", "Authorization", f.bearer("olga", "operations")); a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "later") {
		t.Errorf("an API answer of the pages' program: %s %s", a.Status, a.body)
	}
}

func TestAnUpstreamThatIsAwayIsAProblem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.behind["inventory"].Close()
	a := f.call("GET", "/api/products", "")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("away: %s, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	if p := a.problem(t); strings.Contains(p.Detail, "127.0.0.1") {
		t.Errorf("the client learns an address: %s", p.Detail)
	}
	f = newFixture(t, hasty)
	f.behind["orders"].answers(silent)
	a = f.call("POST", "/api/orders", "{}", "Authorization", f.bearer("alice", "orders"))
	if a.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("silent: %s", a.Status)
	}
	a.problem(t)
	if n := f.behind["orders"].requests(); n != 1 {
		t.Errorf("an order without a key was sent %d times", n)
	}
}

func TestOnlyRequestsWithAnHonouredKeyArePostedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method, path, to string
		headers          []string
		requests         int
	}{
		{"POST", "/api/orders", "orders", []string{"Idempotency-Key", "k"}, 3},
		{"POST", "/api/orders", "orders", nil, 1},
		{"POST", "/api/orders/1/cancellation", "orders", []string{"Idempotency-Key", "k"}, 1},
		{"POST", "/api/products/x/stock", "inventory", []string{"Idempotency-Key", "k"}, 3},
		{"POST", "/api/operations/dead-letters/payments.1/replay", "payments", []string{"Idempotency-Key", "k"}, 1},
		{"PUT", "/api/products/x", "inventory", nil, 3},
		{"GET", "/api/products/x", "inventory", nil, 3},
	} {
		f := newFixture(t)
		f.behind[test.to].answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		a := f.call(test.method, test.path, "the body", append(test.headers, "Authorization", f.bearer("olga", "orders", "operations"))...)
		p := f.behind[test.to]
		if a.StatusCode != http.StatusServiceUnavailable || p.requests() != test.requests || slices.ContainsFunc(p.bodies, func(b string) bool { return b != "the body" && test.method != "GET" }) {
			t.Errorf("%s %s %v: %s after %d requests, %q", test.method, test.path, test.headers, a.Status, p.requests(), p.bodies)
		}
	}
}

func TestASessionOfThePagesStaysWithOneReplica(t *testing.T) {
	t.Parallel()
	second := &program{answer: says(200, "text/html", "second")}
	second.Server = httptest.NewServer(second)
	t.Cleanup(second.Close)
	f := newFixture(t, func(c *config) { c.BFFURL = append(c.BFFURL, second.URL) })
	first := f.behind["bff"]
	for _, test := range []struct {
		cookie string
		stays  bool
	}{{"orderflow_session_8080=alice", true}, {"__Host-orderflow_session_443=bob", true}, {"cart=MUG-BLUE:1", false}, {"", false}} {
		was := [2]int{first.requests(), second.requests()}
		for range 10 {
			f.call(http.MethodGet, "/orders", "", "Cookie", test.cookie)
		}
		got := [2]int{first.requests() - was[0], second.requests() - was[1]}
		if stays := got[0] == 10 || got[1] == 10; got[0]+got[1] != 10 || stays != test.stays {
			t.Errorf("with %q, the replicas got %v requests", test.cookie, got)
		}
	}
}

func TestAStreamPassesAsItComes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.Upstream.Timeout, c.Upstream.Total = 2*time.Second, 2*time.Second })
	next, left := make(chan string), make(chan struct{})
	f.behind["bff"].answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case line := <-next:
				_, _ = fmt.Fprintln(w, line)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				close(left)
				return
			}
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/api/orders/1/tracking", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", f.bearer("alice", "orders"))
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Accept-Encoding", "gzip")
	answer, err := direct.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if coding := answer.Header.Get("Content-Encoding"); coding != "" {
		t.Fatalf("a stream is sent in %s", coding)
	}
	lines := bufio.NewScanner(answer.Body)
	for _, line := range []string{"one", "two"} {
		time.Sleep(2100 * time.Millisecond) // longer than the timeout of an attempt
		next <- line
		if !lines.Scan() || lines.Text() != line {
			t.Fatalf("got %q, error %v", lines.Text(), lines.Err())
		}
	}
	_ = answer.Body.Close()
	<-left // bff-web notices that the client has gone
}

func TestABodyThatBreaksOffIsNotPassedOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "POST /api/orders HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 100\r\n\r\n{\"lines\"", f.bearer("alice", "orders"))
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest || f.behind["orders"].last() != nil {
		t.Errorf("%s", answer.Status)
	}
}
