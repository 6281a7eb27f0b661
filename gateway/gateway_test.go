package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/caarlos0/env/v11"
)

var key = seed(bytes.Repeat([]byte{7}, 32))

// fixture is a gateway in front of five programs that record their requests.
type fixture struct {
	testing.TB
	config  config
	url     string
	behind  map[string]*program
	issuer  *identity.Issuer
	gateway *gateway
}

// program is a program behind the gateway. By default it answers with its name.
type program struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	seen   []*http.Request
	bodies []string
}

func (p *program) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.seen, p.bodies = append(p.seen, r), append(p.bodies, string(body))
	answer := p.answer
	p.mu.Unlock()
	answer(w, r)
}

func (p *program) answers(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = h
}

// last returns the latest request, or nil, and forgets all requests.
func (p *program) last() *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) == 0 {
		return nil
	}
	r := p.seen[len(p.seen)-1]
	p.seen, p.bodies = nil, nil
	return r
}

func (p *program) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen)
}

func says(status int, media, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hasty is for tests of upstreams that never answer. The other tests have longer timeouts, because a machine can be slow for a
// second.
func hasty(c *config) { c.Upstream.Timeout, c.Upstream.Retries = 200*time.Millisecond, -1 }

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// serviceNames are the names of all services: those of their folders.
func serviceNames(t testing.TB) (names []string) {
	t.Helper()
	mains, err := filepath.Glob("../services/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("there are no services: %v", err)
	}
	for _, file := range mains {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}

// newFixture starts a gateway with the default settings, changed by adapt.
func newFixture(t testing.TB, adapt ...func(*config)) *fixture {
	t.Helper()
	f := &fixture{TB: t, behind: map[string]*program{}}
	at := func(name string) string {
		p := &program{answer: says(200, "application/json", `"`+name+`"`)}
		p.Server = httptest.NewServer(p)
		t.Cleanup(p.Close)
		f.behind[name] = p
		return p.URL
	}
	var services []string
	for _, name := range serviceNames(t) {
		services = append(services, name+"="+at(name))
	}
	settings := map[string]string{"DEMO_IDENTITY": "true", "BFF_URL": at("bff"), "SERVICES": strings.Join(services, ",")}
	var err error
	if f.config, err = env.ParseAsWithOptions[config](env.Options{Environment: settings}); err != nil {
		t.Fatal(err)
	}
	f.config.Upstream, f.config.IdentityKey = client.Config{Timeout: 20 * time.Second, Total: time.Minute}, key
	for _, adapt := range adapt {
		adapt(&f.config)
	}
	f.serve(f.config)
	return f
}

func (f *fixture) serve(cfg config) {
	f.Helper()
	g, err := newGateway(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.gateway = g
	f.issuer, err = identity.NewIssuer(key, "orderflow", "orderflow")
	if err != nil {
		f.Fatal(err)
	}
	public := httptest.NewServer(g.server(web.Config{Name: name, Log: slog.New(slog.DiscardHandler)}).Handler())
	f.Cleanup(public.Close)
	f.url = public.URL
}

// gotten is an answer that has been read.
type gotten struct {
	*http.Response
	body string
}

// problem reads the answer as a problem, which every error must be.
func (g gotten) problem(t *testing.T) web.Problem {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal([]byte(g.body), &p); err != nil || g.Header.Get("Content-Type") != web.ProblemType || p.Status != g.StatusCode ||
		p.RequestID == "" || p.RequestID != g.Header.Get("X-Request-Id") || p.Detail == "" {
		t.Errorf("not a problem: %s, %q, error %v", g.Status, g.body, err)
	}
	return p
}

// call makes a request; headers are pairs of name and value.
func (f *fixture) call(method, path, body string, headers ...string) gotten {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := direct.Transport.RoundTrip(r)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.Fatal(err)
	}
	return gotten{answer, string(text)}
}

func (f *fixture) bearer(sub string, scopes ...string) string {
	f.Helper()
	token, err := f.issuer.Token(sub, scopes, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	return "Bearer " + token
}

func form(values ...string) string {
	v := url.Values{}
	for i := 0; i < len(values); i += 2 {
		v.Add(values[i], values[i+1])
	}
	return v.Encode()
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}
