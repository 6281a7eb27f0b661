package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/local/traces"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

func TestSpansAreSentAsTheStandardSettingsSay(t *testing.T) { // not parallel: it sets the environment and the global provider
	var receiver traces.Receiver
	keys := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("X-Key")
		receiver.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret")
	t.Setenv("OTEL_SERVICE_NAME", "other")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	stop, err := Trace(t.Context(), "orders", "1.2.3", Traces{Endpoint: endpoint(server.URL)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := Work(t.Context(), "a", "", "")
	_, below := Attempt(ctx, "provider", "POST")
	below.End(errors.New("no answer"))
	span.End(nil)
	stop(t.Context())

	all := receiver.Spans(func(traces.Span) bool { return true })
	slices.SortFunc(all, func(a, b traces.Span) int { return strings.Compare(a.Name, b.Name) })
	if len(all) != 2 || all[1].Name != "a" || all[0].Name != "POST provider" || all[0].Parent != all[1].ID || all[0].Kind != "client" || !all[0].Failed || all[0].Why != "no answer" {
		t.Fatalf("%+v", all)
	}
	for name, want := range map[string]string{"service.name": "other", "service.version": "1.2.3", "service.namespace": "orderflow", "deployment.environment.name": "test"} {
		if got := all[0].Resource[name]; got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if key := <-keys; key != "secret" {
		t.Errorf("the header is %q", key)
	}
	if recording() != nil {
		t.Error("spans are recorded after the end")
	}
}

func TestNothingIsRecordedUnlessTheSettingsWantIt(t *testing.T) { // not parallel: it looks at the global provider
	const away = "http://127.0.0.1:1"
	for what, settings := range map[string]Traces{
		"no receiver": {},
		"disabled":    {Endpoint: away, Disabled: true},
		"no exporter": {TracesEndpoint: away, Exporter: none},
	} {
		stop, err := Trace(t.Context(), "orders", "1.2.3", settings, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, span := Work(t.Context(), "a", "", ""); recording() != nil || span.Recording() {
			t.Errorf("%s: it records", what)
		}
		stop(t.Context())
	}
}

func TestSettingsThatTheSDKWouldNotFollowAreRefused(t *testing.T) {
	t.Parallel()
	for text, setting := range map[string]interface{ UnmarshalText(text []byte) error }{
		"collector:4318":        new(endpoint),
		"grpc://collector:4317": new(endpoint),
		"http://":               new(endpoint),
		"grpc":                  new(protocol),
		"jaeger":                new(exporter),
	} {
		if setting.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// hanging is an exporter whose receiver does not answer.
type hanging struct{ sdk.SpanExporter }

func (hanging) ExportSpans(ctx context.Context, _ []sdk.ReadOnlySpan) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAReceiverThatHangsCostsSpansThatAreCounted(t *testing.T) { // not parallel: it sets the global meter provider
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	q := newQueue(hanging{})
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(q))
	const more = 10
	for range waitingMost + more {
		_, span := provider.Tracer("test").Start(t.Context(), "span")
		span.End()
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counted := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "trace_spans" {
				for _, p := range sum.DataPoints {
					outcome, _ := p.Attributes.Value(attribute.Key("outcome"))
					counted[outcome.AsString()] = p.Value
				}
			}
		}
	}
	if counted["dropped"] != more || len(counted) != 1 || q.waiting.Load() != waitingMost {
		t.Errorf("%v, and %d wait", counted, q.waiting.Load())
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := provider.Shutdown(over); !errors.Is(err, context.Canceled) {
		t.Errorf("its end is %v", err)
	}
}

func TestErrorsOfTheExporterAreLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c := &complaints{log: slog.New(slog.NewJSONHandler(&log, nil))}
	for range 3 {
		c.Handle(errors.New("no receiver"))
	}
	c.next = c.next.Add(-complainEvery)
	c.Handle(errors.New("still no receiver"))
	var said []string
	for line := range strings.Lines(log.String()) {
		var l struct {
			Error  string
			Silent int `json:"errors_not_logged"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		said = append(said, l.Error+strings.Repeat("!", l.Silent))
	}
	if want := []string{"no receiver", "still no receiver!!"}; !slices.Equal(said, want) {
		t.Errorf("%q", said)
	}
}

func TestATraceFromOutsideIsOnlyALink(t *testing.T) { // not parallel: it sets the global provider
	for _, on := range []bool{false, true} {
		if on {
			defer record(t)()
		}
		header := http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "Tracestate": {"a=b"}, "Baggage": {"c=d"}}
		ctx, span := BeginOutside(t.Context(), header)
		parent, state := Inject(ctx)
		if TraceIDOf(parent) == "0af7651916cd43dd8448eb211c80319c" || TraceIDOf(parent) == "" || state != "" || sampled(parent) != on || span.Recording() != on {
			t.Errorf("recording: %t; it goes on as %q, %q", on, parent, state)
		}
		if !on {
			continue
		}
		recorded, ok := span.span.(sdk.ReadOnlySpan)
		if !ok || len(recorded.Links()) != 1 || recorded.Links()[0].SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || recorded.Links()[0].SpanContext.TraceState().Len() != 0 {
			t.Errorf("it has the links %+v", recorded.Links())
		}
		if inside, _ := Begin(t.Context(), header); TraceID(inside) != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("inside it goes on as %s", TraceID(inside))
		}
	}
}

// record records spans until the returned function is called, and sends them to a receiver that does not look at them.
func record(t testing.TB) (stop func()) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	end, err := Trace(t.Context(), "test", "1.2.3", Traces{Endpoint: endpoint(server.URL)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		end(context.WithoutCancel(t.Context()))
		server.Close()
	}
}
