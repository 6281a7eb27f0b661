package testkit

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/orderflow/pkg/telemetry"
)

// Traced runs a benchmark without traces, in a trace that is not sampled, and in one that is. bench gets the trace context of what
// it is to handle. Spans go to a receiver that does not look at them.
func Traced(b *testing.B, bench func(b *testing.B, parent string)) {
	const sampled, unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	b.Run("traces off", func(b *testing.B) { bench(b, sampled) })
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	b.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.URL)
	stop, err := telemetry.Trace(b.Context(), "test", "1.2.3", telemetry.Traces{TracesEndpoint: "set above"}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer stop(context.WithoutCancel(b.Context()))
	b.Run("not sampled", func(b *testing.B) { bench(b, unsampled) })
	b.Run("sampled", func(b *testing.B) { bench(b, sampled) })
}
