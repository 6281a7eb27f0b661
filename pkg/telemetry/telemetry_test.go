package telemetry_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/telemetry"
)

func TestTheMetricsOfRequests(t *testing.T) { // not parallel: it sets the global meter provider
	metrics, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(context.Background())
	at := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	in := telemetry.ServerRequests()
	for range 2 {
		in.Record(t.Context(), telemetry.Request{Method: "POST", Route: "/api/orders", Status: 202, Proto: "HTTP/1.1"}, 20*time.Millisecond, 100, 30)
	}
	in.Record(t.Context(), telemetry.Request{Method: "INVENTED", Status: 405, Proto: "HTTP/2.0", TLS: true}, time.Second, 0, 7)
	telemetry.ClientRequests("orders", at("http://orders:8082/base")).Record(t.Context(), telemetry.Request{Method: "GET", Status: 200, Proto: "HTTP/1.1"}, time.Second, 0, 0)
	telemetry.ClientRequests("orders", at("https://orders:443")).Record(t.Context(), telemetry.Request{Failed: telemetry.ErrorType(&net.OpError{}), Proto: "HTTP/1.1", TLS: true}, time.Second, 5, 0)

	w := httptest.NewRecorder()
	metrics.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	got := w.Body.String()
	const post = `{http_request_method="POST",http_response_status_code="202",http_route="/api/orders",network_protocol_name="http",network_protocol_version="1.1",url_scheme="http"} `
	withoutRoute := strings.Replace(post, `http_route="/api/orders",`, "", 1)
	for _, want := range []string{
		"http_server_request_duration_seconds_count" + post + "2",
		"http_server_request_duration_seconds_sum" + post + "0.04",
		strings.Replace("http_server_request_duration_seconds_bucket"+post+"2", "}", `,le="0.025"}`, 1),
		"http_server_request_body_size_bytes_sum" + withoutRoute + "200",
		"http_server_response_body_size_bytes_sum" + withoutRoute + "60",
		`http_server_response_body_size_bytes_sum{http_request_method="_OTHER",http_response_status_code="405",network_protocol_name="http",network_protocol_version="2.0",url_scheme="https"} 7`,
		`http_client_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",network_protocol_name="http",network_protocol_version="1.1",server_address="orders",server_port="8082",upstream="orders",url_scheme="http"} 1`,
		`http_client_request_body_size_bytes_sum{error_type="net.OpError",http_request_method="GET",network_protocol_name="http",network_protocol_version="1.1",server_address="orders",upstream="orders",url_scheme="https"} 5`,
		`service_version="1.2.3"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestAnErrorIsNamedByItsType(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"net.OpError":                   &net.OpError{},
		"net/url.Error":                 &url.Error{},
		"errors.errorString":            errors.New("with a secret"),
		"context.deadlineExceededError": context.DeadlineExceeded,
		"struct { error }":              struct{ error }{},
	} {
		if got := telemetry.ErrorType(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// BenchmarkRecord measures what it costs to count a request.
func BenchmarkRecord(b *testing.B) {
	_, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		b.Fatal(err)
	}
	defer stop(context.Background())
	in := telemetry.ServerRequests()
	b.ReportAllocs()
	for b.Loop() {
		in.Record(b.Context(), telemetry.Request{Method: "POST", Status: 202, Proto: "HTTP/1.1"}, 20*time.Millisecond, 100, 30)
	}
}
