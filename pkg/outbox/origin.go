package outbox

import (
	"context"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/otel/attribute"
)

// Origin is the cause of what is being done. It is kept in a row that a worker handles later, so that messages that the
// worker sends belong to the same trace and name the same cause.
type Origin struct {
	CausationID string `json:"causation_id"`
	TraceParent string `json:"trace_parent"`
	TraceState  string `json:"trace_state"`
}

// OriginOf returns the origin of what is done in ctx.
func OriginOf(ctx context.Context) Origin {
	parent, state := telemetry.Inject(ctx)
	return Origin{bus.Cause(ctx), parent, state}
}

// Work returns ctx with this origin, like Resume, and with a span for what is done in it about a subject, such as an order's id.
// If ctx belongs to another trace, the span has a link to that.
func (o Origin) Work(ctx context.Context, name, subject string) (context.Context, telemetry.Span) {
	return work(bus.WithCause(ctx, o.CausationID), name, subject, o.TraceParent, o.TraceState)
}

// Join returns ctx in the trace with the context parent, which began what a subject is about. If ctx belongs to another trace, as
// that of a request to cancel an order, it gets a span of that name in this one, with a link to the other. The cause stays.
func Join(ctx context.Context, name, subject, parent string) (context.Context, telemetry.Span) {
	if here, _ := telemetry.Inject(ctx); parent == "" || telemetry.SameTrace(here, parent) {
		return ctx, telemetry.Span{}
	}
	return work(ctx, name, subject, parent, "")
}

func work(ctx context.Context, name, subject, parent, state string) (context.Context, telemetry.Span) {
	ctx, span := telemetry.Work(ctx, name, parent, state)
	if span.Recording() {
		span.Set(attribute.String("orderflow.subject", subject))
	}
	return ctx, span
}

// Within returns this origin for what is sent in ctx: below the span in ctx, if that is of the same trace.
func (o Origin) Within(ctx context.Context) Origin {
	if parent, state := telemetry.Inject(ctx); telemetry.SameTrace(parent, o.TraceParent) {
		o.TraceParent, o.TraceState = parent, state
	}
	return o
}

// Resume returns ctx with this origin: what is done in it has the same cause and trace.
func (o Origin) Resume(ctx context.Context) context.Context {
	return telemetry.Extract(bus.WithCause(ctx, o.CausationID), o.TraceParent, o.TraceState)
}
