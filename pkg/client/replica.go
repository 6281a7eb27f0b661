package client

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/outgoing"
	"example.com/orderflow/pkg/telemetry"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const dialTimeout = time.Second

// replica is one process of the upstream. It has connections of its own, which end with it. TLS and the Host header use the
// name in the URL, while the connection goes to the address.
type replica struct {
	base     *url.URL
	address  string // IP and port behind the URL's name; empty when the URL has an address itself
	breaker  circuitbreaker.CircuitBreaker[*http.Response]
	bulkhead bulkhead.Bulkhead[*http.Response]
	busy     atomic.Int64 // attempts under way, and answers that are still being read

	connections *http.Transport
	requests    *telemetry.Requests
}

func newReplica(cfg Config, base *url.URL, address string) *replica {
	r := &replica{base: base, address: address, requests: telemetry.ClientRequests(cfg.Name, base)}
	r.breaker, r.bulkhead = newBreaker(cfg, r), bulkhead.New[*http.Response](cfg.Bulkhead)
	dialer := &net.Dialer{Timeout: dialTimeout}
	r.connections = outgoing.Direct()
	r.connections.DialContext = func(ctx context.Context, network, named string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, cmp.Or(address, named))
	}
	r.connections.MaxIdleConnsPerHost = int(cfg.Bulkhead)
	r.connections.DisableCompression = true // a gateway passes answers on as they are
	return r
}

// name returns what logs and metrics call the replica.
func (r *replica) name() string { return cmp.Or(r.address, r.base.Host) }

// ready reports whether the breaker allows an attempt, be it a trial.
func (r *replica) ready() bool { return r.breaker.RemainingDelay() == 0 }

// enter counts an attempt until the returned function is called, which may be called more than once.
func (r *replica) enter() (leave func()) {
	r.busy.Add(1)
	return sync.OnceFunc(func() { r.busy.Add(-1) })
}

// resolve puts the replica's address before a path. The path stays as the caller has written it, escapes and all.
func (r *replica) resolve(path *url.URL) *url.URL {
	u := *path
	u.Scheme, u.Host = r.base.Scheme, r.base.Host
	if prefix := strings.TrimSuffix(r.base.EscapedPath(), "/"); prefix != "" {
		u.Path = strings.TrimSuffix(r.base.Path, "/") + path.Path
		u.RawPath = prefix + path.EscapedPath()
	}
	return &u
}
