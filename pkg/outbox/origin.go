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

// Resume returns ctx with this origin: what is done in it has the same cause and trace.
func (o Origin) Resume(ctx context.Context) context.Context {
	return telemetry.Extract(bus.WithCause(ctx, o.CausationID), o.TraceParent, o.TraceState)
}
