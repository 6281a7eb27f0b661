// Package telemetry sets up metrics, and carries the trace context (W3C Trace Context) through requests, the outbox and the
// messages, so that one trace id finds all log lines of an order, from the request to the parcel.
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
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
)

// Start sets OpenTelemetry's global meter provider for the named program; main calls it once. It returns the handler of
// /metrics, in which target_info has the version, and a function to call at the end. The handler answers in the Prometheus text
// format, or in OpenMetrics to a reader that accepts it. Only OpenMetrics has exemplars: the trace id of a measurement, if
// its span was sampled.
func Start(name, version string) (metrics http.Handler, stop func(context.Context), err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := promexporter.New(promexporter.WithRegisterer(registry), promexporter.WithoutScopeInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("metrics: %w", err)
	}
	res := resource.NewSchemaless(attribute.String("service.name", name), attribute.String("service.version", version))
	meters := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithResource(res),
		metric.WithExemplarFilter(exemplar.TraceBasedFilter))
	otel.SetMeterProvider(meters)
	stop = func(ctx context.Context) { _ = meters.Shutdown(ctx) } // at the end there is no use for an error
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}), stop, nil
}
