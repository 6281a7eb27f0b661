package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Requests are the metrics of the HTTP requests of a server or a client, with the names and labels of OpenTelemetry's
// semantic conventions. otelhttp would record the same, but with spans, and with wrappers around each request and answer.
// Thousands of requests have the same labels, so each set of labels is made once and kept.
type Requests struct {
	duration metric.Float64Histogram
	request  metric.Int64Histogram
	response metric.Int64Histogram // nil for a client, whose answers may be read much later
	labels   []attribute.KeyValue  // of all requests

	mu   sync.RWMutex
	sets map[Request]labelled
}

// labelled has the labels of a request as options for the instruments. Sizes are not told apart by route: that would make
// three times as many series, and nobody has asked.
type labelled struct{ duration, size []metric.RecordOption }

// Request has the values for the labels of a request. Few combinations exist: the method is one of ten, the status has
// three digits, an error is a type in this program, and the protocol is one that net/http speaks. The Host and the path are
// left out: any client of a server could invent them, and make as many time series as it likes. The route is the pattern that
// the path fits.
type Request struct {
	Method string // of the request; one that is not in RFC 9110 or 5789 becomes _OTHER
	Route  string // of a server: the pattern of the path, such as /api/orders/:id; empty: no pattern fits
	Status int    // of the answer; 0: there is none
	Proto  string // such as HTTP/1.1
	TLS    bool
	Failed string // the type of the error, when there is no answer; see ErrorType
}

// ServerRequests returns the metrics of the requests that come in.
func ServerRequests() *Requests {
	return newRequests("server", nil)
}

// ClientRequests returns the metrics of the requests to one server, which is a replica of the named upstream.
func ClientRequests(upstream string, server *url.URL) *Requests {
	labels := []attribute.KeyValue{attribute.String("upstream", upstream), attribute.String("server.address", server.Hostname())}
	usual := map[string]string{"http": "80", "https": "443"}[server.Scheme]
	if port, err := strconv.Atoi(server.Port()); err == nil && server.Port() != usual {
		labels = append(labels, attribute.Int("server.port", port))
	}
	return newRequests("client", labels)
}

func newRequests(of string, labels []attribute.KeyValue) *Requests {
	meter, prefix := Meter(), "http."+of+"." // the names are constants, so there can be no errors
	m := &Requests{labels: labels, sets: map[Request]labelled{}}
	m.duration, _ = meter.Float64Histogram(prefix+"request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP "+of+" requests."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	m.request, _ = meter.Int64Histogram(prefix+"request.body.size", metric.WithUnit("By"),
		metric.WithDescription("Size of HTTP "+of+" request bodies."))
	if of == "server" {
		m.response, _ = meter.Int64Histogram(prefix+"response.body.size", metric.WithUnit("By"),
			metric.WithDescription("Size of HTTP server response bodies."))
	}
	return m
}

// Record counts a finished request: how long it took, and how many bytes its body and the answer's body had.
func (m *Requests) Record(ctx context.Context, r Request, took time.Duration, request, response int64) {
	r.Method = method(r.Method)
	set := m.set(r)
	m.duration.Record(ctx, took.Seconds(), set.duration...)
	m.request.Record(ctx, request, set.size...)
	if m.response != nil {
		m.response.Record(ctx, response, set.size...)
	}
}

// set returns the labels of a request.
func (m *Requests) set(r Request) labelled {
	m.mu.RLock()
	set, ok := m.sets[r]
	m.mu.RUnlock()
	if !ok {
		set.duration = []metric.RecordOption{metric.WithAttributeSet(m.make(r))}
		without := r
		without.Route = ""
		set.size = []metric.RecordOption{metric.WithAttributeSet(m.make(without))}
		m.mu.Lock()
		m.sets[r] = set
		m.mu.Unlock()
	}
	return set
}

func (m *Requests) make(r Request) attribute.Set {
	scheme := "http"
	if r.TLS {
		scheme = "https"
	}
	name, version, _ := strings.Cut(r.Proto, "/")
	all := append([]attribute.KeyValue{
		attribute.String("http.request.method", r.Method),
		attribute.String("url.scheme", scheme),
		attribute.String("network.protocol.name", strings.ToLower(name)),
		attribute.String("network.protocol.version", version),
	}, m.labels...)
	if r.Route != "" {
		all = append(all, attribute.String("http.route", r.Route))
	}
	if r.Status != 0 {
		all = append(all, attribute.Int("http.response.status_code", r.Status))
	}
	if r.Failed != "" {
		all = append(all, attribute.String("error.type", r.Failed))
	}
	return attribute.NewSet(all...)
}

func method(name string) string {
	switch name {
	case http.MethodConnect, http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodTrace:
		return name
	case "": // for net/http this is GET
		return http.MethodGet
	}
	return "_OTHER"
}

// ErrorType names an error for a label, by its type: its text may have anything in it.
func ErrorType(err error) string {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == "" || t.Name() == "" {
		return t.String()
	}
	return fmt.Sprintf("%s.%s", t.PkgPath(), t.Name())
}
