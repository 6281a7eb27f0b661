package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func call(t *testing.T, s *web.Server, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestEveryErrorIsAProblemAndTellsNoSecret(t *testing.T) {
	t.Parallel()
	s := web.New(web.Config{Log: quiet()})
	secret := errors.New("SELECT secret FROM table")
	errs := map[string]error{
		"/internal":    secret,
		"/missing":     fault.New(fault.NotFound, "no such thing").Because(secret),
		"/busy":        fault.New(fault.TooMany, "slow down").After(1500 * time.Millisecond),
		"/unavailable": fault.New(fault.Unavailable, "later"),
		"/timeout":     context.DeadlineExceeded,
		"/token":       fault.New(fault.Unauthorized, "no token"),
	}
	for path, err := range errs {
		s.GET(path, func(echo.Context) error { return err })
	}
	s.GET("/panic", func(echo.Context) error { panic(secret) })
	for _, c := range []struct {
		method, path string
		status       int
		header       string
		value        string
	}{
		{"GET", "/internal", 500, "", ""},
		{"GET", "/panic", 500, "", ""},
		{"GET", "/missing", 404, "Cache-Control", "no-store"},
		{"GET", "/busy", 429, "Retry-After", "2"},
		{"GET", "/unavailable", 503, "Retry-After", "2"},
		{"GET", "/timeout", 503, "Retry-After", "2"},
		{"GET", "/token", 401, "WWW-Authenticate", `Bearer realm="orderflow"`},
		{"GET", "/nowhere", 404, "", ""},
		{"PUT", "/missing", 405, "Allow", "OPTIONS, GET, HEAD"},
	} {
		w := call(t, s, c.method, c.path, "", "X-Request-Id", "r-1")
		var p web.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("%s: %v: %s", c.path, err, w.Body)
		}
		if w.Code != c.status || p.Status != c.status || p.RequestID != "r-1" || p.Instance != c.path || !strings.HasPrefix(p.Type, "urn:orderflow:problem:") || p.Detail == "" {
			t.Errorf("%s %s: %d %+v", c.method, c.path, w.Code, p)
		}
		if got := w.Header().Get("Content-Type"); got != web.ProblemType {
			t.Errorf("%s: content type %s", c.path, got)
		}
		if c.header != "" && w.Header().Get(c.header) != c.value {
			t.Errorf("%s: %s is %q, want %q", c.path, c.header, w.Header().Get(c.header), c.value)
		}
		if strings.Contains(w.Body.String(), "SELECT") {
			t.Errorf("%s tells: %s", c.path, w.Body)
		}
	}
}

func TestAProblemTellsProgramsWhatTheyNeedToGoOn(t *testing.T) {
	t.Parallel()
	s := web.New(web.Config{Log: quiet()})
	s.GET("/", func(echo.Context) error {
		return fault.New(fault.Conflict, "it is no longer so").Named("changed").With("now", map[string]int{"size": 7})
	})
	w := call(t, s, "GET", "/", "", "X-Request-Id", "r-1", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	const want = `{"type":"urn:orderflow:problem:changed","title":"Conflict","status":409,"detail":"it is no longer so","instance":"/","request_id":"r-1","trace_id":"0af7651916cd43dd8448eb211c80319c","now":{"size":7}}`
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("the problem is\n%s, want\n%s", got, want)
	}
}

func TestARequestIDIsTakenOverOnlyWhenItIsHarmless(t *testing.T) {
	t.Parallel()
	s := web.New(web.Config{Log: quiet()})
	for given, kept := range map[string]bool{"abc-1.2_3": true, "": false, "a b": false, "a\"b": false, strings.Repeat("x", 65): false} {
		got := call(t, s, "GET", "/livez", "", "X-Request-Id", given).Header().Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("given %q, answered %q", given, got)
		}
	}
}

func TestTheAccessLogHoldsNoTokenAndNoQuery(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := web.New(web.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	s.GET("/things/:id", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	call(t, s, "GET", "/things/private-7?secret=hidden", "", "Authorization", "Bearer hidden", "Cookie", "hidden")
	line := log.String()
	if !strings.Contains(line, `"route":"/things/:id"`) || !strings.Contains(line, `"status":204`) {
		t.Errorf("log %s", line)
	}
	if strings.Contains(line, "hidden") || strings.Contains(line, "private-7") {
		t.Errorf("the log tells: %s", line)
	}
}

func TestReadinessIsAboutTheProgramItself(t *testing.T) {
	t.Parallel()
	var down error
	s := web.New(web.Config{Log: quiet(), Ready: func(context.Context) error { return down }, Report: func() map[string]any { return map[string]any{"rabbitmq_connected": false} }})
	if w := call(t, s, "GET", "/readyz", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"rabbitmq_connected":false`) {
		t.Errorf("without the broker: %d %s", w.Code, w.Body)
	}
	down = errors.New("no database")
	if w := call(t, s, "GET", "/readyz", ""); w.Code != 503 {
		t.Errorf("without its database: %d", w.Code)
	}
	if w := call(t, s, "GET", "/livez", ""); w.Code != 200 {
		t.Errorf("alive all the same: %d", w.Code)
	}
}

func TestStoppingGoesUnreadyFirstAndLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close() //nolint:errcheck // only its port was wanted
	s := web.New(web.Config{Addr: addr, Log: quiet(), DrainDelay: 5 * time.Second})
	begun, finish := make(chan struct{}), make(chan struct{})
	s.GET("/slow", func(c echo.Context) error {
		close(begun)
		<-finish
		return c.String(http.StatusOK, "finished")
	})
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	get := func(path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close() //nolint:errcheck // read to its end
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	until(t, "it serves", func() bool { status, _ := get("/readyz"); return status == 200 })
	slow := make(chan string, 1)
	go func() { _, body := get("/slow"); slow <- body }()
	<-begun
	stop()
	until(t, "it is unready and still answers", func() bool {
		status, body := get("/readyz")
		return status == 503 && strings.Contains(body, "draining")
	})
	close(finish)
	if body := <-slow; body != "finished" {
		t.Errorf("the request in hand got %q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}
