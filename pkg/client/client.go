// Package client calls an upstream over HTTP. It finds the upstream's replicas by DNS and spreads the load over them. Calls
// have time limits, retries of requests that may be repeated, within a budget, and a circuit breaker and a bulkhead for
// each replica. A program has one client for each upstream.
//
// The policies are nested like this, from the outside in; retries, bulkheads and breakers are failsafe-go's:
//
//	total timeout → retry, within a budget → a replica is picked → its bulkhead → its breaker → attempt timeout
//
// Each replica has its own breaker: a shared one would refuse calls to healthy replicas because of a dead one. The bulkhead
// is outside the breaker: a call that it refuses says nothing about the replica's health.
package client

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
)

// Config says which upstream it is, and the limits of calls to it. A field that is zero has its default. The tags let a
// program embed Config in its settings with a prefix.
type Config struct {
	Name string // of the upstream, for errors, logs and metrics
	URLs URLs   // of its replicas
	Log  *slog.Logger

	Timeout time.Duration `env:"TIMEOUT"` // of one attempt, until its answer begins (JSON: until it ends); default 2s
	Total   time.Duration `env:"TOTAL"`   // of all attempts together; default 8s
	Retries int           `env:"RETRIES"` // attempts after the first one, negative: none; default 2

	RetryBudget float64       `env:"RETRY_BUDGET"` // the share of calls that may be repeated, in addition to 5 a second; default 0.2
	DNSPeriod   time.Duration `env:"DNS_PERIOD"`   // between two lookups of a name, whatever the TTL of its records; default 5s
	DNSServer   string        `env:"DNS_SERVER"`   // `host:port` of a DNS server; empty: those of /etc/resolv.conf

	// RetryAmbiguous allows a POST or PATCH with an Idempotency-Key to be repeated although the first attempt may have been
	// carried out: it was sent, and no answer came. Set it for upstreams that are known to honour the key.
	RetryAmbiguous bool

	// Composes is for an upstream that answers 503 when another service that it needs is away. Such an answer is not asked
	// for again, as the upstream has tried already, and its breaker does not count it, as the upstream itself is well.
	Composes bool

	// KeepHost passes on the Host that the request names. A program that serves pages to browsers needs it.
	KeepHost bool

	Bulkhead     uint          `env:"BULKHEAD"`      // how many attempts may wait for one replica's answer at the same time; default 256
	BreakerDelay time.Duration `env:"BREAKER_DELAY"` // between a breaker's opening and its next trial; default 5s
}

// Client calls one upstream. It is an http.RoundTripper for requests whose URL is only a path.
type Client struct {
	cfg      Config
	replicas *replicas
	budget   *budget
	retrying failsafe.Executor[*http.Response]
}

// New returns a client. It panics when a URL is invalid: URLs that came as settings have been checked.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	return &Client{cfg: cfg, replicas: newReplicas(cfg), budget: newBudget(cfg.RetryBudget), retrying: retrying(cfg)}
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Timeout = orDefault(c.Timeout, 2*time.Second)
	c.Total = orDefault(c.Total, 8*time.Second)
	c.Retries = max(0, orDefault(c.Retries, 2))
	c.RetryBudget = orDefault(c.RetryBudget, 0.2)
	c.DNSPeriod = orDefault(c.DNSPeriod, 5*time.Second)
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
// and may have 1 MB. Do returns an answer whatever its status: the last one, when all attempts ended with a bad one. No
// time limit holds for the rest of its body, which may be a stream; the request's context ends it. Without an answer the
// error is a fault.Error of kind Unavailable or Timeout, or context.Canceled; see also Ambiguous. A request that cannot be
// written is Malformed, and does not count as a failure of the upstream.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	call, err := c.newCall(r)
	if err != nil {
		return nil, err
	}
	return call.do()
}

// Replicas returns the base URLs of all known processes of the upstream, whether they answer or not: for callers that want
// to ask each of them. For a name with TLS it is the name, as certificates are for names.
func (c *Client) Replicas(ctx context.Context) (urls []string) {
	for _, r := range c.replicas.find(ctx) {
		base := *r.base
		if r.address != "" && base.Scheme == "http" {
			base.Host = r.address
		}
		urls = append(urls, base.String())
	}
	return urls
}

// RoundTrip is Do.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) { return c.Do(r) }
