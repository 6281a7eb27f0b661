package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	minBackoff    = 50 * time.Millisecond
	maxBackoff    = time.Second
	backoffJitter = 0.5
	retryAfterMax = time.Second // who waits longer for a neighbour has been forgotten by his own caller

	breakerRate    = 0.5 // of the attempts that fail
	breakerLeast   = 10  // attempts in breakerPeriod before the rate means anything
	breakerPeriod  = 10 * time.Second
	breakerJitter  = 0.1
	breakerSuccess = 1 // trial that closes the breaker again

	bulkheadWait = 50 * time.Millisecond // evens out bursts
)

// patience is what surrounds all attempts of a call: the total timeout, and the retries in it. Which failures deserve
// another attempt is decided where they are known best, in call.attempt.
func patience(cfg Config) failsafe.Executor[*http.Response] {
	retries, _ := otel.Meter("orderflow/client").Int64Counter("client_retries", metric.WithDescription("Repeated attempts, by neighbour."))
	neighbour := metric.WithAttributes(attribute.String("neighbour", cfg.Name))
	return failsafe.With[*http.Response](
		timeout.New[*http.Response](cfg.Total),
		retrypolicy.NewBuilder[*http.Response]().
			HandleIf(func(_ *http.Response, err error) bool {
				f, ok := errors.AsType[*failure](err)
				return ok && f.retry
			}).
			WithMaxRetries(cfg.Retries).
			WithBackoff(minBackoff, maxBackoff).
			WithJitterFactor(backoffJitter).
			WithDelayFunc(func(e failsafe.ExecutionAttempt[*http.Response]) time.Duration {
				f, ok := errors.AsType[*failure](e.LastError())
				switch {
				case ok && f.atOnce:
					return 0
				case ok && f.after > 0:
					return min(f.after, retryAfterMax)
				}
				return -1 // the backoff
			}).
			OnRetry(func(e failsafe.ExecutionEvent[*http.Response]) { retries.Add(e.Context(), 1, neighbour) }).
			ReturnLastFailure().
			Build(),
	)
}

// guard is what surrounds each attempt at one replica: its bulkhead, its breaker and the attempt's timeout.
func guard(cfg Config, r *replica) failsafe.Executor[*http.Response] {
	r.breaker = circuitbreaker.NewBuilder[*http.Response]().
		HandleIf(func(answer *http.Response, err error) bool {
			switch {
			case errors.Is(err, errGivenUp): // tells nothing, and no success to close a half-open breaker with
				return r.breaker.IsHalfOpen()
			case err != nil:
				return true
			}
			return cfg.broken(answer.StatusCode)
		}).
		WithFailureRateThreshold(breakerRate, breakerLeast, breakerPeriod).
		WithSuccessThreshold(breakerSuccess).
		WithDelay(cfg.BreakerDelay).
		WithJitterFactor(breakerJitter).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			cfg.Log.WarnContext(e.Context(), "breaker", "neighbour", cfg.Name, "replica", r.name(),
				"was", e.OldState.String(), "is", e.NewState.String())
		}).
		Build()
	return failsafe.With[*http.Response](
		bulkhead.NewBuilder[*http.Response](cfg.Bulkhead).WithMaxWaitTime(bulkheadWait).Build(),
		r.breaker,
		timeout.New[*http.Response](cfg.Timeout),
	)
}

// watch shows the breakers as a metric. Names are constants, so making it cannot fail.
func watch(cfg Config, rs *replicas) {
	meter := otel.Meter("orderflow/client")
	gauge, _ := meter.Int64ObservableGauge("client_breaker_open",
		metric.WithDescription("1 while attempts at a replica are refused, by neighbour and replica."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, r := range rs.known() {
			var open int64
			if r.breaker.IsOpen() {
				open = 1
			}
			o.ObserveInt64(gauge, open, metric.WithAttributes(attribute.String("neighbour", cfg.Name), attribute.String("replica", r.name())))
		}
		return nil
	}, gauge)
}
