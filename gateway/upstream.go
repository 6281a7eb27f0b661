package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// upstream is a program behind the gateway. How many requests may wait for it at the same time follows from how long it
// takes to answer: when that grows with the load, the limit sinks, and what is over it is turned away at once instead of
// waiting in a queue that only gets longer. Each upstream has a limit of its own, so that a slow one costs the others
// nothing.
type upstream struct {
	*client.Client
	limit adaptivelimiter.AdaptiveLimiter[any]
}

func connect(cfg client.Config, l limits) upstream {
	n := upstream{client.New(cfg), adaptivelimiter.NewBuilder[any]().
		WithLimits(l.ConcurrencyLeast, max(l.ConcurrencyLeast, l.ConcurrencyMost), max(l.ConcurrencyLeast, min(l.ConcurrencyFirst, l.ConcurrencyMost))).
		Build()}
	meter, name := otel.Meter("orderflow/gateway"), metric.WithAttributes(attribute.String("upstream", cfg.Name))
	limit, _ := meter.Int64ObservableGauge("gateway_concurrency_limit", metric.WithDescription("Requests that may wait for an upstream at the same time."))
	waiting, _ := meter.Int64ObservableGauge("gateway_concurrency", metric.WithDescription("Requests that wait for an upstream."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error { // constant names: it cannot fail
		o.ObserveInt64(limit, int64(n.limit.Limit()), name)
		o.ObserveInt64(waiting, int64(n.limit.Inflight()), name)
		return nil
	}, limit, waiting)
	return n
}

// RoundTrip passes a request on, unless too many are waiting. What counts is the time until the answer begins: how fast a
// client takes it says nothing about the upstream.
func (n upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	permit, ok := n.limit.TryAcquirePermit()
	if !ok {
		return nil, fault.New(fault.Unavailable, "too much to do").After(time.Second).Because(adaptivelimiter.ErrExceeded)
	}
	answer, err := n.Do(r)
	switch {
	case err == nil, fault.KindOf(err) == fault.Timeout && !errors.Is(err, context.Canceled):
		permit.Record()
	default: // an open breaker or a client who has left: nothing was measured
		permit.Drop()
	}
	return answer, err
}
