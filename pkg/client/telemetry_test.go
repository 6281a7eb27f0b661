package client

import (
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
)

func TestTheTraceGoesOn(t *testing.T) { // not parallel: it sets what is global
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetTracerProvider(trace.NewTracerProvider())
	var parent string
	n := serve(t, func(_ http.ResponseWriter, r *http.Request) { parent = r.Header.Get("Traceparent") })
	ctx, span := otel.Tracer("test").Start(t.Context(), "caller")
	defer span.End()
	if _, err := New(Config{Name: "provider", URLs: URLs{n.URL}}).JSON(ctx, "GET", "/", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(parent, span.SpanContext().TraceID().String()) {
		t.Errorf("the traceparent is %q", parent)
	}
}

func TestEveryBreakerIsAMetric(t *testing.T) { // not parallel: it sets what is global
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	New(Config{Name: "one", URLs: URLs{"http://localhost", "http://127.0.0.1:2"}}).replicas.known()[1].breaker.Open()
	New(Config{Name: "two", URLs: URLs{"http://[::1]:3"}})
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if gauge, ok := m.Data.(metricdata.Gauge[int64]); ok && m.Name == "client_breaker_open" {
				for _, p := range gauge.DataPoints { // other tests' clients are here, too
					neighbour, _ := p.Attributes.Value("neighbour")
					replica, _ := p.Attributes.Value("replica")
					got[neighbour.AsString()+" "+replica.AsString()] = p.Value
				}
			}
		}
	}
	for replica, want := range map[string]int64{"one localhost": 0, "one 127.0.0.1:2": 1, "two [::1]:3": 0} {
		if value, ok := got[replica]; !ok || value != want {
			t.Errorf("the metric of %s is %d, there: %t", replica, value, ok)
		}
	}
}
