// Package client calls a neighbour over HTTP, with everything that takes: several replicas, time limits, retries of what
// may be repeated, a circuit breaker and a bulkhead for each replica. A program has one client for each neighbour.
//
// The policies are failsafe-go's and are nested so, from the outside in:
//
//	total timeout → retry → a replica is picked → its bulkhead → its breaker → attempt timeout
//
// The breaker belongs to the replica: a shared one would refuse calls to healthy replicas because of a dead one. The
// bulkhead is outside the breaker: a call that it refuses has told nothing about the replica.
package client

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// Config says who the neighbour is, and how patient to be with it. What is zero has its default. The tags let a program
// embed it in its settings with a prefix.
type Config struct {
	Name string // of the neighbour, for errors, logs and metrics
	URLs URLs   // of its replicas
	Log  *slog.Logger

	Timeout time.Duration `env:"TIMEOUT"` // of an attempt, until its answer begins (JSON: until it ends); 2 s
	Total   time.Duration `env:"TOTAL"`   // of all attempts together; 8 s
	Retries int           `env:"RETRIES"` // after the first attempt; 2, negative: none

	// RetryAmbiguous allows a POST or PATCH with an Idempotency-Key to be repeated although the first attempt may have
	// been carried out: it was sent, and no answer came. For neighbours that are known to honour the key.
	RetryAmbiguous bool

	// Composes is for a neighbour that answers 503 because of others that it needs: such an answer is neither asked for
	// again, as it has tried, nor counted by the breaker, as it is well itself.
	Composes bool

	Bulkhead     uint          `env:"BULKHEAD"`      // attempts that wait for one replica's answer at the same time; 256
	BreakerDelay time.Duration `env:"BREAKER_DELAY"` // between a breaker's opening and its next trial; 5 s
}

const (
	idleTimeout = time.Minute // shorter than the servers', so that it is the client who closes
	dialTimeout = time.Second
)

// Client calls one neighbour. It is an http.RoundTripper for requests whose URL is only a path.
type Client struct {
	cfg       Config
	replicas  *replicas
	patience  failsafe.Executor[*http.Response]
	transport http.RoundTripper
}

// New returns a client. It panics when an URL is none: settings of type URLs have been checked.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: int(cfg.Bulkhead),
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // what a gateway passes on, it passes on as it is
		ForceAttemptHTTP2:   true,
	}
	c := &Client{cfg: cfg, replicas: newReplicas(cfg), patience: patience(cfg)}
	c.transport = otelhttp.NewTransport(transport, otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
		return r.Method + " " + cfg.Name
	}))
	return c
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Timeout = orDefault(c.Timeout, 2*time.Second)
	c.Total = orDefault(c.Total, 8*time.Second)
	c.Retries = max(0, orDefault(c.Retries, 2))
	c.Bulkhead = orDefault(c.Bulkhead, 256)
	c.BreakerDelay = orDefault(c.BreakerDelay, 5*time.Second)
	return c
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Do sends a request, whose URL is a path with or without a query, to a replica. Its body is read before the first attempt
// and may have 1 MB. An answer is an answer whatever its status: the last one, when all attempts ended with a bad one. No
// time limit holds for the rest of its body, which may be a stream: the request's context ends it. Without an answer the
// error is a fault.Error of kind Unavailable or Timeout, or context.Canceled; see also Ambiguous.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	call, err := c.newCall(r)
	if err != nil {
		return nil, err
	}
	return call.do()
}

// RoundTrip is Do.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) { return c.Do(r) }
