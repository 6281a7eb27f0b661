// Package apptest is a bff-web for tests: its services answer as a test tells them, and browsers without a window visit it.
package apptest

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/outgoing"
	"example.com/orderflow/pkg/web"
	"github.com/caarlos0/env/v11"
)

// direct is not net/http's own transport, whose idle connections the end of any httptest.Server closes: those of other tests, too.
var direct = outgoing.Direct()

// Fixture is a bff-web with services that answer as a test tells them.
type Fixture struct {
	*testing.T
	URL      string
	App      *app.App
	Issuer   *identity.Issuer
	mu       sync.Mutex
	answers  map[string]http.HandlerFunc
	seen     map[string]*http.Request // latest requests, by service
	Services map[string]*httptest.Server
}

// New starts a bff-web, which ends with the test.
func New(t *testing.T) *Fixture {
	t.Helper()
	return NewWith(t, time.Minute) // long, since a machine can be slow for a second
}

// NewWithout returns a fixture without these settings.
func NewWithout(t *testing.T, settings ...string) *Fixture {
	t.Helper()
	return NewWith(t, time.Minute, settings...)
}

// NewSilent is for tests with services that never answer: its timeouts are short.
func NewSilent(t *testing.T) *Fixture {
	t.Helper()
	return NewWith(t, time.Second)
}

// Silent never answers.
func Silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// NewWith returns a fixture with a timeout for services, and without some settings.
func NewWith(t *testing.T, timeout time.Duration, without ...string) *Fixture {
	t.Helper()
	f := &Fixture{T: t, answers: map[string]http.HandlerFunc{}, seen: map[string]*http.Request{}, Services: map[string]*httptest.Server{}}
	at := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			f.seen[name] = r
			answer := f.answers[name]
			f.mu.Unlock()
			answer(w, r)
		}))
		t.Cleanup(s.Close)
		f.Services[name] = s
		f.answers[name] = Says(200, `{"items":[]}`)
		return s.URL
	}
	var services []string
	for _, service := range []string{"orders", "payments", "inventory", "shipping"} {
		services = append(services, service+"="+at(service))
	}
	settings := map[string]string{
		"GATEWAY_URL": at("gateway"), "DEMO_SECRET": "demo", "STREAMS_MOST": "10", "SERVICES": strings.Join(services, ","),
		"SIMULATOR_URL": at("simulator"), "LABORATORY_URL": at("supervisor"), "LABORATORY_KEY": "key of the desk",
		"TRACES_URL": "https://traces.example/trace/{trace_id}?x=1",
	}
	for _, name := range without {
		delete(settings, name)
	}
	cfg, err := env.ParseAsWithOptions[app.Config](env.Options{Environment: settings})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Upstream = client.Config{Timeout: timeout, Total: timeout}
	f.Issuer, err = identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	f.App, err = app.New(cfg, f.Issuer.Verifier(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := web.New(web.Config{Name: upstream.Self, Log: slog.New(slog.DiscardHandler)})
	f.App.Routes(server)
	public := httptest.NewServer(server.Echo)
	t.Cleanup(public.Close)
	f.URL = public.URL
	return f
}

// Says answers always the same.
func Says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Answer makes a service answer so from now on.
func (f *Fixture) Answer(service string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[service] = h
}

// Asked returns the latest request that a service got; nil: it got none.
func (f *Fixture) Asked(service string) *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[service]
}

// Get returns an answer and its body. headers are pairs of name and value.
func (f *Fixture) Get(path string, headers ...string) (*http.Response, string) {
	f.Helper()
	return f.Request(http.MethodGet, path, "", headers...)
}

// Request returns an answer and its body. headers are pairs of name and value.
func (f *Fixture) Request(method, path, body string, headers ...string) (*http.Response, string) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := direct.RoundTrip(r)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer, string(text)
}

// Bearer returns the header with a token that has a scope.
func (f *Fixture) Bearer(scope string) string {
	f.Helper()
	token, err := f.Issuer.Token("olga", []string{scope}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	return "Bearer " + token
}
