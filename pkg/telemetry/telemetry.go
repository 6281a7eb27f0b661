// Package telemetry sets up metrics and traces, and carries the trace context (W3C Trace Context) through the outbox and
// the messages, so that one trace shows an order from the request to the parcel.
package telemetry

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Start sets OpenTelemetry's global providers for the named program, which main does once. It returns the handler of
// /metrics in the Prometheus text format, where target_info tells the version, and what to call at the end.
func Start(name, version string) (metrics http.Handler, stop func(context.Context), err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := promexporter.New(promexporter.WithRegisterer(registry), promexporter.WithoutScopeInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("metrics: %w", err)
	}
	res := resource.NewSchemaless(attribute.String("service.name", name), attribute.String("service.version", version))
	meters := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithResource(res), metric.WithView(trusted))
	traces := sdktrace.NewTracerProvider(sdktrace.WithResource(res))
	otel.SetMeterProvider(meters)
	otel.SetTracerProvider(traces)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	stop = func(ctx context.Context) {
		_ = traces.Shutdown(ctx) // nobody is left to tell
		_ = meters.Shutdown(ctx)
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), stop, nil
}

// trusted takes the labels off otelhttp's metrics that come from a request's Host header: whoever can reach the server
// could make as many time series as he likes.
var trusted = metric.NewView(metric.Instrument{Name: "http.server.*"}, metric.Stream{
	AttributeFilter: attribute.NewDenyKeysFilter("server.address", "server.port"),
})

// Inject returns the trace context of ctx as the two headers of a message, both empty when there is none.
func Inject(ctx context.Context) (parent, state string) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"], carrier["tracestate"]
}

// Extract is the reverse of Inject: what is done in the context that it returns belongs to that trace.
func Extract(ctx context.Context, parent, state string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent, "tracestate": state})
}

// Consume starts the span of handling a message, as a child of the one that sent it, however long ago that was. The
// semantic conventions would have a link instead; a child gives the one picture of an order's life that people look for.
func Consume(ctx context.Context, kind, parent, state string) (context.Context, func(error)) {
	ctx, span := otel.Tracer("orderflow").Start(Extract(ctx, parent, state), kind+" process", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("messaging.system", "rabbitmq")))
	return ctx, func(err error) {
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// TraceID returns the id of the trace in ctx, or "".
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}
