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

// replica is one process of the upstream. It has connections of its own, so that they end with it, and so that TLS and
// the Host header keep to the name in the URL while the connection goes to the address.
type replica struct {
	base     *url.URL
	address  string // IP and port behind the URL's name; empty when the URL says it all
	breaker  circuitbreaker.CircuitBreaker[*http.Response]
	bulkhead bulkhead.Bulkhead[*http.Response]
	busy     atomic.Int64 // attempts under way, and answers that are still being read

	connections *http.Transport
	requests    *telemetry.Requests
}

func newReplica(cfg Config, base *url.URL, address string) *replica {
	r := &replica{base: base, address: address, requests: telemetry.ClientRequests(base)}
	r.breaker, r.bulkhead = newBreaker(cfg, r), bulkhead.New[*http.Response](cfg.Bulkhead)
	dialer := &net.Dialer{Timeout: dialTimeout}
	r.connections = outgoing.Direct()
	r.connections.DialContext = func(ctx context.Context, network, named string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, cmp.Or(address, named))
	}
	r.connections.MaxIdleConnsPerHost = int(cfg.Bulkhead)
	r.connections.DisableCompression = true // what a gateway passes on, it passes on as it is
	return r
}

// name is what logs and metrics call it.
func (r *replica) name() string { return cmp.Or(r.address, r.base.Host) }

// ready reports whether the breaker lets an attempt pass, be it the one that tries whether the replica is well again.
func (r *replica) ready() bool { return r.breaker.RemainingDelay() == 0 }

// enter counts an attempt until the function that it returns is called, which may be more than once.
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
