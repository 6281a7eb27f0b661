package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestTheTraceGoesOn(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var parents []string
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if parents = append(parents, r.Header.Get("Traceparent")); len(parents) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	ctx, _ := telemetry.Begin(t.Context(), http.Header{"Traceparent": {trace}})
	r := request(t, "GET", "", "").WithContext(ctx)
	r.Header.Set("Traceparent", "of another")
	if status, _, err := outcome(t, New(Config{Name: "provider", URLs: URLs{n.URL}}), r); status != 200 || err != nil {
		t.Fatalf("%d, %v", status, err)
	}
	if !slices.Equal(parents, []string{trace, trace}) {
		t.Errorf("the attempts had the traces %q", parents)
	}
	if r.Header.Get("Traceparent") != "of another" {
		t.Error("the caller's header has been changed")
	}
}

func TestEveryAttemptIsAMetric(t *testing.T) { // not parallel: it sets the global meter provider
	metrics, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(context.Background())
	n := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	c := New(Config{Name: "provider", URLs: URLs{n.URL}, Retries: -1})
	_, _ = c.JSON(t.Context(), "POST", "/charges", nil, "four", nil)
	n.Close()
	_, _ = c.JSON(t.Context(), "GET", "/charges", nil, nil, nil)
	w := httptest.NewRecorder()
	metrics.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	for _, want := range []string{
		`http_client_request_body_size_bytes_sum{http_request_method="POST",http_response_status_code="404",.*,server_address="127.0.0.1",server_port="[0-9]+",upstream="provider",url_scheme="http"} 6`,
		`http_client_request_duration_seconds_count{http_request_method="POST",http_response_status_code="404",.*} 1`,
		`http_client_request_duration_seconds_count{error_type="net.OpError",http_request_method="GET",.*} 1`,
	} {
		if !regexp.MustCompile(want).MatchString(w.Body.String()) {
			t.Errorf("there is no %s in\n%s", want, w.Body)
		}
	}
}

func TestEveryBreakerIsAMetric(t *testing.T) { // not parallel: it sets the global meter provider
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
					upstream, _ := p.Attributes.Value("upstream")
					replica, _ := p.Attributes.Value("replica")
					got[upstream.AsString()+" "+replica.AsString()] = p.Value
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
