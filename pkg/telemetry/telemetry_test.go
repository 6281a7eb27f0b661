package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

func TestACallerCannotMakeTimeSeries(t *testing.T) {
	metrics, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(context.Background())
	server := otelhttp.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "test")
	get := func(h http.Handler, host string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Body.String()
	}
	get(server, "invented.example:1")
	got := get(metrics, "localhost")
	if !strings.Contains(got, "http_server_request_duration") {
		t.Fatalf("no metrics of requests: %.500s", got)
	}
	if strings.Contains(got, "invented") {
		t.Error("the Host header of a request is a label")
	}
	if !strings.Contains(got, `service_version="1.2.3"`) {
		t.Error("no version in target_info")
	}
}
