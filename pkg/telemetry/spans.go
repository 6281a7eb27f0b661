package telemetry

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Span is a part of a trace. Its names and attributes are those of OpenTelemetry's semantic conventions, where they have one.
// The zero Span records nothing: it is what there is while no spans are recorded, and in a trace that is not sampled.
type Span struct{ span trace.Span }

// Recording reports whether the span is recorded. A caller that makes attributes asks first.
func (s Span) Recording() bool { return s.span != nil }

// Current returns the span of what is done in ctx.
func Current(ctx context.Context) Span { return spanOf(trace.SpanFromContext(ctx)) }

func spanOf(span trace.Span) Span {
	if !span.IsRecording() {
		return Span{}
	}
	return Span{span}
}

// Set adds attributes.
func (s Span) Set(attributes ...attribute.KeyValue) {
	if s.span != nil {
		s.span.SetAttributes(attributes...)
	}
}

// Event adds something that has happened just now.
func (s Span) Event(name string, attributes ...attribute.KeyValue) {
	if s.span != nil {
		s.span.AddEvent(name, trace.WithAttributes(attributes...))
	}
}

// Note adds an error that did not make what was done fail, or that has its status elsewhere.
func (s Span) Note(err error) {
	if s.span != nil {
		s.span.RecordError(err)
	}
}

// Fail says that what was done has failed.
func (s Span) Fail(err error) {
	if s.span != nil {
		s.span.SetAttributes(semconv.ErrorTypeKey.String(ErrorType(err)))
		s.span.SetStatus(codes.Error, err.Error())
	}
}

// End ends the span. An error says that what was done has failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.Fail(err)
	}
	s.span.End()
}

// start begins a span below the one in ctx.
func (r *recorder) start(ctx context.Context, name string, kind trace.SpanKind, links ...trace.Link) (context.Context, Span) {
	ctx, span := r.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithLinks(links...))
	return ctx, spanOf(span)
}

// Work begins a span for work inside of this program, in the trace of a trace context that was kept with what the work is about.
// Without one, it begins a trace. If ctx belongs to another trace, the span has a link to that.
func Work(ctx context.Context, name, parent, state string) (context.Context, Span) {
	before := trace.SpanContextFromContext(ctx)
	ctx = Extract(ctx, parent, state)
	r := recording()
	if r == nil {
		return begin(ctx), Span{}
	}
	var links []trace.Link
	if before.IsValid() && before.TraceID() != trace.SpanContextFromContext(ctx).TraceID() {
		links = []trace.Link{{SpanContext: before}}
	}
	return r.start(ctx, name, trace.SpanKindInternal, links...)
}

// Answered ends the span of a request, which Begin has begun.
func (s Span) Answered(r *http.Request, route string, status int) {
	if s.span == nil {
		return
	}
	name, scheme := method(r.Method), "http"
	if r.TLS != nil {
		scheme = "https"
	}
	s.span.SetAttributes(
		semconv.HTTPRequestMethodKey.String(name),
		semconv.URLScheme(scheme),
		semconv.URLPath(r.URL.Path),
		semconv.NetworkProtocolVersion(version(r.Proto)),
		semconv.HTTPResponseStatusCode(status))
	if name == "_OTHER" {
		name = "HTTP"
	}
	if route != "" {
		s.span.SetAttributes(semconv.HTTPRoute(route))
		name += " " + route
	}
	s.span.SetName(name)
	if status >= http.StatusInternalServerError {
		s.span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(status)))
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// Attempt begins the span of one attempt to call an upstream. The span's context is to be sent with the request. A call that
// belongs to no trace, such as one that only looks whether a program is there, gets none.
func Attempt(ctx context.Context, upstream, httpMethod string) (context.Context, Span) {
	r := recording()
	if r == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, Span{}
	}
	return r.start(ctx, method(httpMethod)+" "+upstream, trace.SpanKindClient)
}

// Attempted ends the span of an attempt. before is how many attempts the call has had before this one. Without an answer, err
// is the reason.
func (s Span) Attempted(httpMethod string, target *url.URL, upstream string, before int, answer *http.Response, err error) {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(
		semconv.HTTPRequestMethodKey.String(method(httpMethod)),
		semconv.URLFull((&url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path}).String()), // a query may have a secret
		semconv.ServerAddress(target.Hostname()),
		semconv.ServicePeerName(upstream))
	if port, err := strconv.Atoi(target.Port()); err == nil {
		s.span.SetAttributes(semconv.ServerPort(port))
	}
	if before > 0 {
		s.span.SetAttributes(semconv.HTTPRequestResendCount(before))
	}
	if answer != nil {
		s.span.SetAttributes(semconv.HTTPResponseStatusCode(answer.StatusCode), semconv.NetworkProtocolVersion(version(answer.Proto)))
		if answer.StatusCode >= http.StatusBadRequest {
			s.span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(answer.StatusCode)))
			s.span.SetStatus(codes.Error, "")
		}
	}
	s.End(err)
}

// Message is what spans say about a message.
type Message struct {
	Exchange     string
	Kind         string // and routing key
	Queue        string // from which it was taken; empty while it is being sent
	ID           string
	Conversation string // the order or product that it is about
	Size         int    // bytes of its body
	Attempt      int    // to handle it: 1 for the first
	Parent       string // the trace context in which it was sent
	State        string
}

func (m Message) destination() string {
	if m.Queue == "" {
		return m.Exchange + ":" + m.Kind
	}
	return m.Exchange + ":" + m.Kind + ":" + m.Queue
}

func (m Message) attributes(operation string, kind attribute.KeyValue) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemRabbitMQ,
		semconv.MessagingOperationName(operation),
		kind,
		semconv.MessagingDestinationName(m.destination()),
		semconv.MessagingRabbitMQDestinationRoutingKey(m.Kind),
		semconv.MessagingMessageID(m.ID),
		semconv.MessagingMessageConversationID(m.Conversation),
		semconv.MessagingMessageBodySize(m.Size),
	}
}

// Send begins the span of sending a message as a part of a batch. It returns the trace context that the message is to carry.
func Send(m Message, batch Span) (parent, state string, s Span) {
	r := recording()
	if r == nil {
		return m.Parent, m.State, Span{}
	}
	ctx, s := r.start(Extract(context.Background(), m.Parent, m.State), "publish "+m.destination(), trace.SpanKindProducer, batch.links()...)
	if !s.Recording() {
		return m.Parent, m.State, s
	}
	s.Set(m.attributes("publish", semconv.MessagingOperationTypeSend)...)
	parent, state = Inject(ctx)
	return parent, state, s
}

// Consume returns the context in which to handle a message, which is a part of a batch: with the trace in which the message was
// sent, however long ago, or else with a new one. The span is that of handling it.
func Consume(ctx context.Context, m Message, batch Span) (context.Context, Span) {
	ctx = Extract(ctx, m.Parent, m.State)
	r := recording()
	if r == nil {
		return begin(ctx), Span{}
	}
	ctx, s := r.start(ctx, "process "+m.destination(), trace.SpanKindConsumer, batch.links()...)
	if s.Recording() {
		s.Set(append(m.attributes("process", semconv.MessagingOperationTypeProcess), attribute.Int("orderflow.message.attempt", m.Attempt))...)
	}
	return ctx, s
}

// Batch begins the span of handling n things together, which belong to traces of their own. It is the root of a trace, and is
// recorded if one of the traces is sampled, so that links to it lead somewhere. parents are the trace contexts.
func Batch(ctx context.Context, name string, n int, parents func(i int) string) (context.Context, Span) {
	r := recording()
	if r == nil {
		return ctx, Span{}
	}
	for i := range n {
		if sampled(parents(i)) {
			ctx, span := r.batches.Start(ctx, name, trace.WithNewRoot(), trace.WithAttributes(attribute.Int("orderflow.batch.size", n)))
			return ctx, spanOf(span)
		}
	}
	return ctx, Span{}
}

func (s Span) links() []trace.Link {
	if s.span == nil {
		return nil
	}
	return []trace.Link{{SpanContext: s.span.SpanContext()}}
}

// sampled reports whether a traceparent has the sampled flag.
func sampled(parent string) bool {
	if parent == "" {
		return false
	}
	last, err := strconv.ParseUint(parent[len(parent)-1:], 16, 8)
	return err == nil && last&1 == 1
}

// version returns the version in a protocol such as HTTP/1.1.
func version(proto string) string {
	_, v, _ := strings.Cut(proto, "/")
	return v
}
