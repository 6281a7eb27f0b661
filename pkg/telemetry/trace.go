package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Where no spans are recorded, a trace is only the ids that go from one program to the next. The context that came in goes out
// unchanged, with its span id and its sampled flag, as OpenTelemetry's API does without an SDK. So a program behind us that
// records spans continues the last one that was recorded before us. A trace that begins here is not sampled then: the flag would
// say that its sender may have recorded something (docs/adr/0051).

// Begin returns ctx with the trace of a request from another program of ours, the one in its header or a new one, and the span of
// answering it.
func Begin(ctx context.Context, header http.Header) (context.Context, Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(header))
	r := recording()
	if r == nil {
		return begin(ctx), Span{}
	}
	return r.start(ctx, "request", trace.SpanKindServer)
}

// BeginOutside is Begin for a request from outside, whose trace context is not trusted: it could make us record everything, or
// give many orders one trace. The request begins a trace. If its header names one, the span has a link to that.
func BeginOutside(ctx context.Context, header http.Header) (context.Context, Span) {
	r := recording()
	if r == nil {
		return begin(ctx), Span{}
	}
	var links []trace.Link
	if theirs := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(header))); theirs.IsValid() {
		links = []trace.Link{{SpanContext: theirs.WithTraceState(trace.TraceState{})}}
	}
	return r.start(ctx, "request", trace.SpanKindServer, links...)
}

// Propagate puts the trace of ctx into the header of a request to another program. When ctx has none it changes nothing.
func Propagate(ctx context.Context, header http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
}

// Inject returns the trace context of ctx as the two headers of a message, both empty when there is none.
func Inject(ctx context.Context) (parent, state string) {
	var h headers
	propagation.TraceContext{}.Inject(ctx, &h)
	return h.parent, h.state
}

// Extract is the reverse of Inject: it returns ctx with that trace.
func Extract(ctx context.Context, parent, state string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, &headers{parent, state})
}

// Sampled returns ctx with the trace of a message if that trace is sampled: then what is measured has its id as an exemplar. For
// other messages it returns ctx, and costs nothing.
func Sampled(ctx context.Context, parent, state string) context.Context {
	if !strings.HasSuffix(parent, "-01") {
		return ctx
	}
	return Extract(ctx, parent, state)
}

// SameTrace reports whether two trace contexts belong to one trace.
func SameTrace(parent, other string) bool {
	id := TraceIDOf(parent)
	return id != "" && id == TraceIDOf(other)
}

// TraceIDOf returns the trace id in a trace context that Inject has returned, or "".
func TraceIDOf(parent string) string {
	if len(parent) != len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") {
		return ""
	}
	return parent[len("00-"):len("00-0af7651916cd43dd8448eb211c80319c")]
}

// TraceID returns the id of the trace in ctx, or "".
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// SpanID returns the id of the recorded span in ctx, or "".
func SpanID(ctx context.Context) string {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return span.SpanContext().SpanID().String()
	}
	return ""
}

// begin starts a trace where there is none. Its ids are random and no secrets.
func begin(ctx context.Context) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var c trace.SpanContextConfig
	binary.NativeEndian.PutUint64(c.TraceID[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(c.TraceID[8:], rand.Uint64()|1) // never all zero: that would be no id
	binary.NativeEndian.PutUint64(c.SpanID[:], rand.Uint64()|1)
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(c))
}

// headers are the two headers of a message, as a propagation.TextMapCarrier.
type headers struct{ parent, state string }

func (h *headers) Get(key string) string {
	switch key {
	case "traceparent":
		return h.parent
	case "tracestate":
		return h.state
	}
	return ""
}

func (h *headers) Set(key, value string) {
	switch key {
	case "traceparent":
		h.parent = value
	case "tracestate":
		h.state = value
	}
}

// Keys is part of the interface. Our propagator does not use it.
func (h *headers) Keys() []string { return []string{"traceparent", "tracestate"} }
