package outbox

import (
	"context"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/telemetry"
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

// Work returns ctx with this origin, like Resume, and with a span for what is done in it. If ctx belongs to another trace, the span
// has a link to that.
func (o Origin) Work(ctx context.Context, name string) (context.Context, telemetry.Span) {
	return telemetry.Work(bus.WithCause(ctx, o.CausationID), name, o.TraceParent, o.TraceState)
}

// Within returns the origin of what is done in ctx because of o: o itself, below the span in ctx if that is of the same trace.
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
