package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// sampledIn returns a context with a span that is recorded.
func sampledIn(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x0a, 0xf7}, SpanID: trace.SpanID{0xb7}, TraceFlags: trace.FlagsSampled,
	}))
}

func TestWhatWasMeasuredIsShownWithItsLabels(t *testing.T) { // not parallel: it sets the global meter provider
	metrics, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(context.Background())
	counter := telemetry.NewCounter("things", "Things.", "kind", "outcome")
	counter.Count(t.Context(), 0, "cup", "broken")
	counter.Count(t.Context(), 2, "cup", "whole")
	counter.Count(t.Context(), 3, "cup", "whole")
	took := telemetry.NewHistogram("work_duration", "s", "Work.", telemetry.Seconds, "kind")
	took.Measure(t.Context(), 0.3, "cup")
	took.Measure(sampledIn(t.Context()), 0.02, "cup")
	telemetry.NewHistogram("work_batch", "", "Batches.", telemetry.Sizes).Measure(t.Context(), 7)
	well, _ := telemetry.Meter().Int64ObservableGauge("well")
	telemetry.Gauges(func(ctx context.Context, o metric.Observer) error {
		if _, ends := ctx.Deadline(); !ends {
			return errors.New("this may last for ever")
		}
		o.ObserveInt64(well, 5, telemetry.Label("state", "good"))
		return nil
	}, well)

	ask := func(accept string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		metrics.ServeHTTP(w, r)
		return w.Body.String()
	}
	plain, open := ask(""), ask("application/openmetrics-text; version=1.0.0")
	for _, want := range []string{
		`things_total{kind="cup",outcome="broken"} 0`,
		`things_total{kind="cup",outcome="whole"} 5`,
		`work_duration_seconds_bucket{kind="cup",le="0.5"} 2`,
		`work_batch_bucket{le="10"} 1`,
		`work_batch_sum 7`,
		`well{state="good"} 5`,
	} {
		if !strings.Contains(plain, want) {
			t.Errorf("there is no %s in\n%s", want, plain)
		}
	}
	exemplar := regexp.MustCompile(`work_duration_seconds_bucket\{kind="cup",le="0.025"\} 1 # \{.*trace_id="0af70000000000000000000000000000".*\} 0.02 `)
	if !exemplar.MatchString(open) || strings.Count(open, "trace_id") != 1 {
		t.Errorf("there is no %s, or another exemplar, in\n%s", exemplar, open)
	}
	if strings.Contains(plain, "trace_id") {
		t.Error("the text format has exemplars, which its readers do not understand")
	}
}

// BenchmarkMessage measures what it costs to count a message: that it was published, handled, and how long that took.
func BenchmarkMessage(b *testing.B) {
	_, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		b.Fatal(err)
	}
	defer stop(context.Background())
	counter := telemetry.NewCounter("things", "Things.", "queue", "kind", "outcome")
	took := telemetry.NewHistogram("work_duration", "s", "Work.", telemetry.Seconds, "queue", "kind")
	for name, ctx := range map[string]context.Context{"not sampled": b.Context(), "sampled": sampledIn(b.Context())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				counter.Count(ctx, 1, "payments.take_payment", "confirmed")
				counter.Count(ctx, 1, "payments.commands", "payments.take_payment", "done")
				took.Measure(ctx, 0.012, "payments.commands", "payments.take_payment")
			}
		})
	}
}

// BenchmarkMessageWithNewLabels is what the same two counters would cost if each message made its own set of labels.
func BenchmarkMessageWithNewLabels(b *testing.B) {
	_, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		b.Fatal(err)
	}
	defer stop(context.Background())
	counter, _ := otel.Meter("test").Int64Counter("things")
	b.ReportAllocs()
	for b.Loop() {
		counter.Add(b.Context(), 1, metric.WithAttributes(attribute.String("kind", "payments.take_payment"), attribute.String("outcome", "confirmed")))
		counter.Add(b.Context(), 1, metric.WithAttributes(attribute.String("queue", "payments.commands"), attribute.String("kind", "payments.take_payment"), attribute.String("outcome", "done")))
	}
}
