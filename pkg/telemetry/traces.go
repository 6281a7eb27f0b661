package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const (
	waitingMost   = 2048            // spans that have ended and are not exported yet; further ones are dropped
	flushWithin   = 2 * time.Second // for the last spans, when the program stops
	complainEvery = time.Minute     // about errors of the exporter
)

// Traces are those of OpenTelemetry's own settings that decide whether and where spans are sent. The SDK reads its other ones
// itself: OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS and so on. The tags let a program embed
// Traces in its settings.
type Traces struct {
	Endpoint       endpoint `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`                            // the URL of an OTLP receiver, such as `http://localhost:4318`. Spans go to its path `/v1/traces`; empty: no spans are recorded
	TracesEndpoint endpoint `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`                     // the same, with the whole path; it has precedence
	Protocol       protocol `env:"OTEL_EXPORTER_OTLP_PROTOCOL" envDefault:"http/protobuf"` // or `http/json`
	Exporter       exporter `env:"OTEL_TRACES_EXPORTER" envDefault:"otlp"`                 // or `none`: no spans are recorded
	Disabled       bool     `env:"OTEL_SDK_DISABLED"`                                      // no spans are recorded; metrics stay
}

func (t Traces) wanted() bool {
	return (t.Endpoint != "" || t.TracesEndpoint != "") && t.Exporter != none && !t.Disabled
}

type endpoint string

// UnmarshalText refuses what the SDK would replace by its default.
func (e *endpoint) UnmarshalText(text []byte) error {
	if u, err := url.Parse(string(text)); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("not a URL such as http://localhost:4318")
	}
	*e = endpoint(text)
	return nil
}

type protocol string

// UnmarshalText refuses grpc, for which there is no exporter here.
func (p *protocol) UnmarshalText(text []byte) error {
	if *p = protocol(text); *p != "http/protobuf" && *p != "http/json" {
		return errors.New("neither http/protobuf nor http/json")
	}
	return nil
}

type exporter string

const none exporter = "none"

// UnmarshalText refuses other exporters, which are not here.
func (e *exporter) UnmarshalText(text []byte) error {
	if *e = exporter(text); *e != "otlp" && *e != none {
		return errors.New("neither otlp nor none")
	}
	return nil
}

// Trace makes the named program record spans and send them by OTLP, if the settings say where. main calls it once, after Start.
// It returns a function to call at the end, which sends the last spans; that takes 2 s at most. A receiver that is away or
// hangs delays nothing else: spans wait in memory, and when 2048 are waiting, further ones are dropped and counted.
func Trace(ctx context.Context, name, version string, t Traces, log *slog.Logger) (stop func(context.Context), err error) {
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(&complaints{log: log}) // of metrics, too
	if !t.wanted() {
		return func(context.Context) {}, nil
	}
	// Collectors are our own, so a proxy of the environment is not used, as for all our calls.
	sender, err := otlptracehttp.New(ctx, otlptracehttp.WithProxy(func(*http.Request) (*url.URL, error) { return nil, nil })) //nolint:nilnil // nil: no proxy
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(),
		resource.WithAttributes(semconv.ServiceNamespace("orderflow"), semconv.ServiceName(name), semconv.ServiceVersion(version)),
		resource.WithFromEnv()) // the last one wins
	if err != nil {
		log.WarnContext(ctx, "traces do not say all about the program", "error", err)
	}
	spans := newQueue(sender)
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans), sdk.WithResource(res))
	batches := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans), sdk.WithResource(res), sdk.WithSampler(sdk.AlwaysSample()))
	otel.SetTracerProvider(&recorder{provider, provider.Tracer(scope), batches.Tracer(scope)})
	return func(ctx context.Context) {
		otel.SetTracerProvider(noop.NewTracerProvider())
		ctx, cancel := context.WithTimeout(ctx, flushWithin)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.WarnContext(ctx, "the last spans are lost", "spans", spans.waiting.Load(), "error", err)
		}
	}, nil
}

const scope = "orderflow"

// recorder is the tracer provider while spans are recorded. All spans are of one scope, so that nobody has to look up a tracer.
type recorder struct {
	*sdk.TracerProvider
	tracer  trace.Tracer
	batches trace.Tracer // samples all its spans: see Batch
}

// recording returns the recorder, or nil while no spans are recorded.
func recording() *recorder {
	r, _ := otel.GetTracerProvider().(*recorder)
	return r
}

// queue bounds and counts the spans on their way to the receiver. The SDK's own queue would drop spans without counting them,
// so this one drops them before that one is full.
type queue struct {
	sdk.SpanProcessor
	waiting atomic.Int64
	spans   *Counter
}

func newQueue(to sdk.SpanExporter) *queue {
	q := &queue{spans: NewCounter("trace_spans",
		"Spans, by what became of them: exported, failed (the receiver did not take them) or dropped (too many were waiting).", "outcome")}
	q.SpanProcessor = sdk.NewBatchSpanProcessor(counted{to, q}, sdk.WithMaxQueueSize(waitingMost))
	return q
}

// OnEnd takes a span that has ended.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	if q.waiting.Add(1) > waitingMost {
		q.left(context.Background(), 1, "dropped")
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// left counts spans that have left the queue.
func (q *queue) left(ctx context.Context, n int, outcome string) {
	q.waiting.Add(-int64(n))
	q.spans.Count(ctx, int64(n), outcome)
}

// counted is the end of the queue.
type counted struct {
	sdk.SpanExporter
	queue *queue
}

// ExportSpans sends spans to the receiver.
func (c counted) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := c.SpanExporter.ExportSpans(ctx, spans); err != nil {
		c.queue.left(ctx, len(spans), "failed")
		return fmt.Errorf("export %d spans: %w", len(spans), err)
	}
	c.queue.left(ctx, len(spans), "exported")
	return nil
}

// complaints logs one of OpenTelemetry's errors a minute, and how many there were since the last one.
type complaints struct {
	log *slog.Logger

	mu     sync.Mutex
	next   time.Time
	silent int
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.next) {
		c.silent++
		return
	}
	c.log.Warn("telemetry", "error", err, "errors_not_logged", c.silent)
	c.next, c.silent = time.Now().Add(complainEvery), 0
}
