package client

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
)

func TestOnlyRequestsThatMayBeRepeatedAreRepeated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, key string
		blindly     bool
		script      []http.HandlerFunc
		requests    int
		status      int // 0: an error
	}{
		"GET until it is answered":                    {"GET", "", false, []http.HandlerFunc{status(503), status(503), status(200)}, 3, 200},
		"GET at most three times":                     {"GET", "", false, []http.HandlerFunc{status(503)}, 3, 503},
		"GET of a broken upstream":                    {"GET", "", false, []http.HandlerFunc{status(500), status(200)}, 2, 200},
		"GET that breaks off":                         {"GET", "", false, []http.HandlerFunc{reset, status(200)}, 2, 200},
		"GET with a definite answer":                  {"GET", "", false, []http.HandlerFunc{status(404)}, 1, 404},
		"GET of what is not built":                    {"GET", "", false, []http.HandlerFunc{status(501)}, 1, 501},
		"GET too often":                               {"GET", "", false, []http.HandlerFunc{status(429), status(200)}, 2, 200},
		"PUT":                                         {"PUT", "", false, []http.HandlerFunc{reset, status(502), status(200)}, 3, 200},
		"DELETE":                                      {"DELETE", "", false, []http.HandlerFunc{status(504), status(204)}, 2, 204},
		"POST without a key is never sent twice":      {"POST", "", true, []http.HandlerFunc{status(503)}, 1, 503},
		"POST without a key that breaks off":          {"POST", "", true, []http.HandlerFunc{reset}, 1, 0},
		"POST with a key after an answer":             {"POST", "k", false, []http.HandlerFunc{status(503), status(500), status(201)}, 3, 201},
		"POST with a key that breaks off":             {"POST", "k", false, []http.HandlerFunc{reset}, 1, 0},
		"POST with a key that breaks off, if allowed": {"POST", "k", true, []http.HandlerFunc{reset, reset, status(201)}, 3, 201},
		"PATCH without a key":                         {"PATCH", "", true, []http.HandlerFunc{status(503)}, 1, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := serve(t, test.script...)
			c := New(Config{Name: "upstream", URLs: URLs{n.URL}, RetryAmbiguous: test.blindly})
			got, body, err := outcome(t, c, request(t, test.method, "the body", test.key))
			if got != test.status || n.requests() != test.requests {
				t.Errorf("status %d after %d requests, error %v", got, n.requests(), err)
			}
			if err != nil && (fault.KindOf(err) != fault.Unavailable || !Ambiguous(err)) {
				t.Errorf("the error is %v, of kind %s, ambiguous: %t", err, fault.KindOf(err), Ambiguous(err))
			}
			if got != 0 && got != 204 && body != http.StatusText(got) {
				t.Errorf("the answer's body is %q", body)
			}
			if slices.ContainsFunc(n.bodies, func(b string) bool { return b != "the body" }) {
				t.Errorf("the requests' bodies are %q", n.bodies)
			}
		})
	}
}

func TestAKeyThatTheUpstreamDoesNotHonourAllowsNothing(t *testing.T) {
	t.Parallel()
	n := serve(t, status(503))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, RetryAmbiguous: true})
	if got, _, err := outcome(t, c, Once(request(t, "POST", "x", "k"))); got != 503 || n.requests() != 1 {
		t.Errorf("status %d after %d requests, error %v", got, n.requests(), err)
	}
	if got, _, err := outcome(t, c, Once(request(t, "GET", "", ""))); got != 503 || n.requests() != 4 {
		t.Errorf("GET: status %d after %d requests, error %v", got, n.requests(), err)
	}
}

func TestARequestThatWasNeverSentGoesToAnotherReplicaAtOnce(t *testing.T) {
	t.Parallel()
	n := serve(t, status(201))
	c := New(Config{Name: "upstream", URLs: URLs{gone(t), n.URL, gone(t)}})
	fastest := time.Hour // of some rounds: the machine may be slow for a while
	for round := 1; round <= 10 && fastest > 20*minBackoff/2; round++ {
		begun := time.Now()
		for range 20 {
			if got, _, err := outcome(t, c, request(t, "POST", "x", "")); got != 201 {
				t.Fatalf("status %d, error %v", got, err)
			}
		}
		fastest = min(fastest, time.Since(begun))
		if n.requests() != 20*round {
			t.Errorf("%d requests arrived", n.requests())
		}
	}
	if fastest > 20*minBackoff/2 {
		t.Errorf("took %s: it has waited for the other replica", fastest)
	}
}

func TestAnUpstreamThatIsGoneIsUnavailableAndHasDoneNothing(t *testing.T) {
	t.Parallel()
	c := New(Config{Name: "upstream", URLs: URLs{gone(t)}})
	_, _, err := outcome(t, c, request(t, "POST", "x", ""))
	wantKind(t, err, fault.Unavailable)
	if Ambiguous(err) {
		t.Error("a request that was never sent is called ambiguous")
	}
}

func TestRetriesLeaveNoConnectionOpen(t *testing.T) {
	t.Parallel()
	n := serve(t, status(200))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Bulkhead: 10})
	for range 20 {
		n.follow(status(429), status(429), status(200))
		if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
			t.Fatalf("status %d, error %v", got, err)
		}
	}
	if n.connections != 1 {
		t.Errorf("%d connections for calls one after the other", n.connections)
	}
}

func TestALongRetryAfterIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	n := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}, status(200))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}})
	begun := time.Now()
	if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
		t.Errorf("status %d, error %v", got, err)
	}
	if took := time.Since(begun); took < retryAfterMax/2 || took > 7*time.Second {
		t.Errorf("came back after %s", took)
	}
}

// net/http repeats a request with an Idempotency-Key by itself when a kept connection breaks.
func TestNothingElseRepeatsARequestThatMayHaveBeenCarriedOut(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"with a body": "x", "without a body": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := serve(t, status(200))
			c := New(Config{Name: "upstream", URLs: URLs{n.URL}})
			if _, _, err := outcome(t, c, request(t, "GET", "", "")); err != nil {
				t.Fatal(err)
			}
			n.follow(reset)
			_, _, err := outcome(t, c, request(t, "POST", body, "k"))
			if n.requests() != 1 || n.connections != 1 || !Ambiguous(err) {
				t.Errorf("%d requests over %d connections, error %v", n.requests(), n.connections, err)
			}
		})
	}
}

func TestASilentUpstreamIsATimeout(t *testing.T) {
	t.Parallel()
	n := serve(t, hang)
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Timeout: time.Second, Total: time.Minute})
	_, _, err := outcome(t, c, request(t, "POST", "x", "k"))
	wantKind(t, err, fault.Timeout)
	if !Ambiguous(err) || n.requests() != 1 {
		t.Errorf("ambiguous: %t, after %d requests", Ambiguous(err), n.requests())
	}
	n.follow(hang, hang, status(200))
	if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 || n.requests() != 3 {
		t.Errorf("GET: status %d after %d requests, error %v", got, n.requests(), err)
	}
}

func TestAllAttemptsTogetherHaveALimit(t *testing.T) {
	t.Parallel()
	n := serve(t, hang)
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Timeout: time.Minute, Total: time.Second})
	_, _, err := outcome(t, c, request(t, "GET", "", ""))
	wantKind(t, err, fault.Timeout)
	if !Ambiguous(err) || n.requests() != 1 {
		t.Errorf("ambiguous: %t, after %d requests", Ambiguous(err), n.requests())
	}
}

func TestTheCallersOwnEndEndsTheCall(t *testing.T) {
	t.Parallel()
	n := serve(t, hang)
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		until(t, "the request arrives", func() bool { return n.requests() == 1 })
		leave()
	}()
	_, _, err := outcome(t, c, requestIn(ctx, "POST", "x", ""))
	if !errors.Is(err, context.Canceled) || !Ambiguous(err) {
		t.Errorf("the error is %v, ambiguous: %t", err, Ambiguous(err))
	}
	ctx, leave = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer leave()
	_, _, err = outcome(t, c, requestIn(ctx, "GET", "", ""))
	wantKind(t, err, fault.Timeout)
}

func TestOneAmbiguousAttemptMakesTheCallAmbiguous(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script    []http.HandlerFunc
		ambiguous bool
	}{
		"all say that nothing was done": {[]http.HandlerFunc{status(503), status(429), status(503)}, false},
		"the first does not":            {[]http.HandlerFunc{status(500), status(503), status(503)}, true},
		"the first breaks off":          {[]http.HandlerFunc{reset, status(503), status(503)}, true},
		"the last does not":             {[]http.HandlerFunc{status(503), status(503), status(502)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := serve(t, test.script...)
			c := New(Config{Name: "upstream", URLs: URLs{n.URL}, RetryAmbiguous: true})
			_, err := c.JSON(t.Context(), "POST", "/charges", http.Header{"Idempotency-Key": {"k"}}, map[string]int{"amount": 1}, nil)
			if err == nil || Ambiguous(err) != test.ambiguous || n.requests() != 3 {
				t.Errorf("ambiguous: %t after %d requests, error %v", Ambiguous(err), n.requests(), err)
			}
		})
	}
}
