package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

func TestEveryRequestIsCountedButNotByLabelsThatClientsCanInvent(t *testing.T) { // not parallel: it sets the global meter provider
	metrics, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer stop(context.Background())
	s := web.New(web.Config{Log: quiet(), Metrics: metrics})
	s.POST("/things/:id", func(c echo.Context) error {
		_, _ = io.CopyN(io.Discard, c.Request().Body, 3)
		return c.String(http.StatusAccepted, "four")
	})
	for _, target := range []string{"http://invented.example:1/things/1", "http://other.example/things/2"} {
		s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("hello")))
	}
	call(t, s, "INVENTED", "/nowhere", "")
	call(t, s, "GET", "/readyz", "")
	got := call(t, s, "GET", "/metrics", "").Body.String()
	const (
		posted   = `{http_request_method="POST",http_response_status_code="202",http_route="/things/:id",network_protocol_name="http",network_protocol_version="1.1",url_scheme="http"} `
		invented = `{http_request_method="_OTHER",http_response_status_code="404",network_protocol_name="http",network_protocol_version="1.1",url_scheme="http"} `
	)
	sizes := strings.Replace(posted, `http_route="/things/:id",`, "", 1)
	for _, want := range []string{
		"http_server_request_duration_seconds_count" + posted + "2",
		"http_server_request_body_size_bytes_sum" + sizes + "6", // the bytes that were read
		"http_server_response_body_size_bytes_sum" + sizes + "8",
		"http_server_request_duration_seconds_count" + invented + "1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in\n%s", want, got)
		}
	}
	for _, wrong := range []string{"invented", "things/1", "things/2", "nowhere", `http_request_method="GET"`} {
		if strings.Contains(got, wrong) {
			t.Errorf("%s is a label", wrong)
		}
	}
}

func TestARequestBelongsToATrace(t *testing.T) {
	t.Parallel()
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var parent string
	var log bytes.Buffer
	s := web.New(web.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	s.GET("/", func(c echo.Context) error {
		parent, _ = telemetry.Inject(c.Request().Context())
		return c.NoContent(http.StatusNoContent)
	})
	if call(t, s, "GET", "/", "", "Traceparent", theirs); parent != theirs {
		t.Errorf("the caller's trace is %q", parent)
	}
	call(t, s, "GET", "/", "")
	one := parent
	if call(t, s, "GET", "/", ""); one == "" || one == theirs || one == parent {
		t.Errorf("the traces of two callers who have none are %q and %q", one, parent)
	}
}

func TestTheAccessLogSaysWhatOperatorsReadThere(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := web.New(web.Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	s.GET("/things/:id", func(c echo.Context) error { return c.String(http.StatusTeapot, "four") })
	call(t, s, "GET", "/livez", "")
	call(t, s, "GET", "/things/7?q=secret", "", "X-Request-Id", "r-1", "Authorization", "Bearer secret")
	var line struct {
		Level, Msg, Method, Route string
		Status                    int
		MS                        *int
		Bytes                     int
		RequestID                 string `json:"request_id"`
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	if line.Level != "INFO" || line.Msg != "request" || line.Method != "GET" || line.Route != "/things/:id" || line.Status != 418 ||
		line.MS == nil || line.Bytes != 4 || line.RequestID != "r-1" || strings.Contains(log.String(), "secret") {
		t.Error(log.String())
	}
}

// BenchmarkServer measures what the middleware costs a service, without net/http: an authenticated POST of JSON.
func BenchmarkServer(b *testing.B) {
	_, stop, err := telemetry.Start("test", "1.2.3")
	if err != nil {
		b.Fatal(err)
	}
	defer stop(context.Background())
	s := web.New(web.Config{Log: slog.New(slog.NewJSONHandler(io.Discard, nil))})
	s.POST("/api/orders", func(c echo.Context) error {
		var body struct {
			SKU string `json:"sku"`
		}
		if err := web.JSON(c, &body); err != nil {
			return err
		}
		return c.JSON(http.StatusAccepted, body)
	})
	testkit.Traced(b, func(b *testing.B, parent string) { serveAlone(b, s, parent) })
}

func serveAlone(b *testing.B, s *web.Server, parent string) {
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/orders", nil)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json", "X-Request-Id": "0193c7a1", "X-Forwarded-For": "127.0.0.1",
		"X-Forwarded-Host": "localhost:8080", "X-Forwarded-Proto": "http", "Idempotency-Key": "k", "Traceparent": parent,
	} {
		r.Header.Set(name, value)
	}
	h := s.Handler()
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(`{"sku":"MUG-BLUE"}`))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusAccepted {
			b.Fatal(w.Body)
		}
	}
}
