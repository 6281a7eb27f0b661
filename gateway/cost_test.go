package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/web"
)

// outsideKey marks the process that runs the callers and the service of a benchmark.
const outsideKey = "ORDERFLOW_BENCHMARK_OUTSIDE"

func TestMain(m *testing.M) {
	if os.Getenv(outsideKey) != "" {
		if err := beOutside(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkRequest measures what one request costs the gateway, over real HTTP, with a log and metrics as in the program.
// cpu-ns/op is the processor time of this process, in user and system mode; allocs/op counts all its allocations. The callers
// and the service behind the gateway run in another process.
//
// "bare proxy" is the cost of net/http alone for passing a request on; the rest is what the gateway adds.
//
//	go test -run '^$' -bench Request -benchtime 20000x ./gateway
func BenchmarkRequest(b *testing.B) {
	outside := startOutside(b)
	_, stop, err := telemetry.Start("gateway", "benchmark") // metrics and traces as in the program
	if err != nil {
		b.Fatal(err)
	}
	defer stop(context.Background())
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	f := newFixture(b, func(c *config) {
		c.Limits.PerAddress, c.Limits.PerCaller = 1e6, 1e6 // so high that they count and never limit
		c.Services["orders"], c.Services["inventory"] = client.URLs{outside.url}, client.URLs{outside.url}
	})
	g, err := newGateway(f.config, log)
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(g.server(web.Config{Name: name, Log: log}).Handler())
	defer server.Close()
	target, err := url.Parse(outside.url)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256},
	})
	defer bare.Close()

	token := f.bearer("alice", "orders")
	b.Run("bare proxy", outside.bench(http.MethodPost, bare.URL+"/api/orders", token))
	b.Run("place an order", outside.bench(http.MethodPost, server.URL+"/api/orders", token))
	b.Run("list orders", outside.bench(http.MethodGet, server.URL+"/api/orders", token))
	b.Run("cached product", outside.bench(http.MethodGet, server.URL+"/api/products/MUG-BLUE", ""))
}

// outside is the other process. Each line to it names requests that it must make.
type outside struct {
	url string // URL of its service
	in  io.Writer
	out *bufio.Scanner
}

func startOutside(b *testing.B) *outside {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), outsideKey+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close() // this ends it
		_ = cmd.Wait()
	})
	o := &outside{in: in, out: bufio.NewScanner(out)}
	o.url = o.answer(b)
	return o
}

func (o *outside) answer(b *testing.B) string {
	b.Helper()
	if !o.out.Scan() {
		b.Fatal("the callers have ended")
	}
	return o.out.Text()
}

func (o *outside) bench(method, url, token string) func(*testing.B) {
	return func(b *testing.B) {
		ask := func(n int) {
			if _, err := fmt.Fprintf(o.in, "%d\t%s\t%s\t%s\n", n, method, url, token); err != nil {
				b.Fatal(err)
			}
			if said := o.answer(b); said != "" {
				b.Fatal(said)
			}
		}
		ask(20) // opens the connections
		b.ReportAllocs()
		b.ResetTimer()
		before := processorTime(b)
		ask(b.N)
		b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	}
}

func processorTime(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

const (
	callersAtATime = 8
	anOrder        = `{"lines":[{"sku":"MUG-BLUE","quantity":1}],"payment_method":"tok_visa","shipping_address":{"name":"A","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"}}`
	anAnswer       = `{"id":"0193c7a1-5f3e-7b1c-9a54-3c1f0d2b7e11","status":"placed","lines":[{"sku":"MUG-BLUE","name":"Blue mug","quantity":1,"unit_price":1299}],"total":1299,"currency":"EUR","placed_at":"2026-11-28T10:00:00Z"}`
)

// beOutside runs the service, writes its URL, and then makes the requests that each line of in names: "number, method, URL,
// token". It answers each line with an empty one, or with the error.
func beOutside(in io.Reader, out io.Writer) error {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h := w.Header()
		h.Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/api/products") {
			h.Set("Cache-Control", "public, max-age=3600")
		}
		h.Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		if r.Method == http.MethodPost {
			h.Set("Location", "/api/orders/0193c7a1-5f3e-7b1c-9a54-3c1f0d2b7e11")
			w.WriteHeader(http.StatusAccepted)
		}
		_, _ = io.WriteString(w, anAnswer)
	}))
	defer service.Close()
	_, _ = fmt.Fprintln(out, service.URL)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		parts := strings.Split(lines.Text(), "\t")
		n, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(out, askFor(n, parts[1], parts[2], parts[3]))
	}
	return nil
}

var callers = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callersAtATime, DisableCompression: true}, Timeout: time.Minute}

func askFor(n int64, method, url, token string) (wrong string) {
	var next atomic.Int64
	var failed atomic.Pointer[string]
	var all sync.WaitGroup
	for range callersAtATime {
		all.Go(func() {
			for next.Add(1) <= n && failed.Load() == nil {
				if err := askOnce(method, url, token); err != nil {
					text := err.Error()
					failed.Store(&text)
				}
			}
		})
	}
	all.Wait()
	if text := failed.Load(); text != nil {
		return *text
	}
	return ""
}

func askOnce(method, url, token string) error {
	var body io.Reader
	if method == http.MethodPost {
		body = bytes.NewReader([]byte(anOrder))
	}
	r, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", strconv.FormatInt(time.Now().UnixNano(), 36))
	}
	answer, err := callers.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && string(text) != anAnswer {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return err
}
