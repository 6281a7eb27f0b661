package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/telemetry"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"go.opentelemetry.io/otel/metric"
)

// upstream is a program behind the gateway. The number of requests that may wait for it adapts to its response time: if that
// grows with the load, the limit sinks. Requests beyond the limit are refused at once, instead of waiting in a growing queue.
// Each upstream has its own limit, so that a slow one does not affect the others.
type upstream struct {
	*client.Client
	limit adaptivelimiter.AdaptiveLimiter[any]
}

func connect(cfg client.Config, l limits) upstream {
	n := upstream{client.New(cfg), adaptivelimiter.NewBuilder[any]().
		WithLimits(l.ConcurrencyLeast, max(l.ConcurrencyLeast, l.ConcurrencyMost), max(l.ConcurrencyLeast, min(l.ConcurrencyFirst, l.ConcurrencyMost))).
		Build()}
	meter, name := telemetry.Meter(), telemetry.Label("upstream", cfg.Name)
	limit, _ := meter.Int64ObservableGauge("gateway_concurrency_limit", metric.WithDescription("Requests that may wait for an upstream at the same time."))
	waiting, _ := meter.Int64ObservableGauge("gateway_concurrency", metric.WithDescription("Requests that wait for an upstream."))
	telemetry.Gauges(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(limit, int64(n.limit.Limit()), name)
		o.ObserveInt64(waiting, int64(n.limit.Inflight()), name)
		return nil
	}, limit, waiting)
	return n
}

// RoundTrip passes a request on, or returns an error if too many are waiting. It measures the time until the answer begins: how
// fast the client reads the rest says nothing about the upstream.
func (n upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	permit, ok := n.limit.TryAcquirePermit()
	if !ok {
		return nil, fault.New(fault.Unavailable, "too much to do").After(time.Second).Because(adaptivelimiter.ErrExceeded)
	}
	answer, err := n.Do(r)
	switch {
	case err == nil, fault.KindOf(err) == fault.Timeout && !errors.Is(err, context.Canceled):
		permit.Record()
	default: // an open breaker, or a client that has left: nothing was measured
		permit.Drop()
	}
	return answer, err
}
