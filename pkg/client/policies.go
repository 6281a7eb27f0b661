package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"example.com/orderflow/pkg/telemetry"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	minBackoff    = 50 * time.Millisecond
	maxBackoff    = time.Second
	backoffJitter = 0.5
	retryAfterMax = time.Second // a longer wait is of no use: our own caller has given up by then

	// A breaker opens after this many failures in a row. With a rate of failures in a period, failsafe-go would also decide
	// after a success: failures from before a recovery would open the breaker on the good answers after it. With a count in
	// a row, one good answer clears all failures before it.
	breakerFailures = 10
	breakerSuccess  = 1 // trial that closes the breaker again
	breakerJitter   = 0.1

	bulkheadWait = 50 * time.Millisecond // evens out bursts
)

// retrying is the policy around all attempts of a call, within the total timeout. call.attempt decides which failures
// deserve another attempt, as it knows most about them.
func retrying(cfg Config) failsafe.Executor[*http.Response] {
	retries := telemetry.NewCounter("client_retries", "Repeated attempts, by upstream.", "upstream")
	return failsafe.With[*http.Response](
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
			OnRetry(func(e failsafe.ExecutionEvent[*http.Response]) { retries.Count(e.Context(), 1, cfg.Name) }).
			ReturnLastFailure().
			Build(),
	)
}

func newBreaker(cfg Config, r *replica) circuitbreaker.CircuitBreaker[*http.Response] {
	return circuitbreaker.NewBuilder[*http.Response]().
		WithFailureThreshold(breakerFailures).
		WithSuccessThreshold(breakerSuccess).
		WithDelay(cfg.BreakerDelay).
		WithJitterFactor(breakerJitter).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			cfg.Log.WarnContext(e.Context(), "breaker", "upstream", cfg.Name, "replica", r.name(),
				"was", e.OldState.String(), "is", e.NewState.String())
		}).
		Build()
}

// pass makes an attempt if the replica's bulkhead has room and its breaker allows it, and tells the breaker the outcome.
// The breaker is called here instead of being one of an executor's policies: there, each outcome that is no failure is a
// success. But a caller that has left says nothing about the replica, and must not clear its failures.
//
// Both time limits are deadlines of contexts: failsafe-go's own policy would make two executions, with a context each, for
// each attempt.
func (r *replica) pass(ctx context.Context, cfg Config, attempt func(context.Context) (*http.Response, error)) (*http.Response, error) {
	if err := r.bulkhead.AcquirePermitWithMaxWait(ctx, bulkheadWait); err != nil {
		return nil, err
	}
	defer r.bulkhead.ReleasePermit()
	if !r.breaker.TryAcquirePermit() {
		return nil, circuitbreaker.ErrOpen
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	answer, err := attempt(ctx)
	switch {
	case errors.Is(err, errGivenUp):
		if r.breaker.IsHalfOpen() { // it was the trial: without a success the breaker stays open
			r.breaker.RecordFailure()
		}
	case err != nil || cfg.broken(answer.StatusCode):
		r.breaker.RecordFailure()
	default:
		r.breaker.RecordSuccess()
	}
	return answer, err
}

// watch registers the breakers as a metric. Names are constants, so making it cannot fail.
func watch(cfg Config, rs *replicas) {
	gauge, _ := telemetry.Meter().Int64ObservableGauge("client_breaker_open",
		metric.WithDescription("1 from when attempts at a replica are refused until one of them has succeeded, by upstream and replica."))
	telemetry.Gauges(func(_ context.Context, o metric.Observer) error {
		for _, r := range rs.known() {
			open := int64(1) // also while an attempt is on trial: every few seconds there is one, and an alert would begin anew
			if r.breaker.IsClosed() {
				open = 0
			}
			o.ObserveInt64(gauge, open, metric.WithAttributes(attribute.String("upstream", cfg.Name), attribute.String("replica", r.name())))
		}
		return nil
	}, gauge)
}
