package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
)

// upstream is a server that counts its requests and connections. Its answers are a script; the last one is given again and
// again.
type upstream struct {
	*httptest.Server
	mu          sync.Mutex
	script      []http.HandlerFunc
	bodies      []string // of the requests, in order
	connections int
}

func serve(t *testing.T, script ...http.HandlerFunc) *upstream {
	t.Helper()
	n := &upstream{script: script}
	n.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read a request: %v", err)
		}
		n.mu.Lock()
		n.bodies = append(n.bodies, string(body))
		answer := n.script[0]
		if len(n.script) > 1 {
			n.script = n.script[1:]
		}
		n.mu.Unlock()
		answer(w, r)
	}))
	n.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.mu.Lock()
			n.connections++
			n.mu.Unlock()
		}
	}
	n.Start()
	t.Cleanup(n.Close)
	return n
}

// follow gives the upstream another script.
func (n *upstream) follow(script ...http.HandlerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.script, n.bodies = script, nil
}

func (n *upstream) requests() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.bodies)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, http.StatusText(code))
	}
}

// reset breaks the connection after the request has been read.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang does not answer before the client goes.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// gone returns the URL of a server that no longer exists.
func gone(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.URL
}

func request(t *testing.T, method, body, key string) *http.Request {
	t.Helper()
	return requestIn(t.Context(), method, body, key)
}

func requestIn(ctx context.Context, method, body, key string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "/things", reader)
	if err != nil {
		panic(err)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return r
}

// outcome sends a request and returns the answer's status and body, or the kind of the error.
func outcome(t *testing.T, c *Client, r *http.Request) (int, string, error) {
	t.Helper()
	answer, err := c.Do(r)
	if err != nil {
		if answer != nil {
			t.Error("both an answer and an error")
		}
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Errorf("read the answer: %v", err)
	}
	return answer.StatusCode, string(body), nil
}

func wantKind(t *testing.T, err error, kind fault.Kind) *fault.Error {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind {
		t.Fatalf("the error is %v (%s), not of kind %s", err, fault.KindOf(err), kind)
	}
	return f
}

// until waits for something that happens in another goroutine.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
