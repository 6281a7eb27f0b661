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

// No spans are recorded, as there is nowhere to send them: a trace is the ids that go from one program to the next. The
// context that came in goes out unchanged, with its span id and its sampled flag, as OpenTelemetry's API does without an
// SDK. So a program behind us that records spans continues the last one that was recorded before us. A trace that begins
// here is not sampled: the flag would say that its sender may have recorded something (docs/adr/0015).

// Begin returns ctx with the trace of a request: the one in its header, or a new one.
func Begin(ctx context.Context, header http.Header) context.Context {
	return begin(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(header)))
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

// Consume returns the context in which to handle a message: with the trace in which the message was sent, however long ago,
// or else with a new one. The function is to be called with the handler's error.
func Consume(ctx context.Context, _, parent, state string) (context.Context, func(error)) {
	return begin(Extract(ctx, parent, state)), func(error) {}
}

// TraceID returns the id of the trace in ctx, or "".
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
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
