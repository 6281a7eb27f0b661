package outbox

import (
	"context"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/telemetry"
)

// Origin is what the handling of a message was caused by. It is kept in a row that a worker sees to later, so that what the
// worker then sends belongs to the same trace and names the same cause.
type Origin struct {
	CausationID string `json:"causation_id"`
	TraceParent string `json:"trace_parent"`
	TraceState  string `json:"trace_state"`
}

// OriginOf returns the origin of what is being done in ctx.
func OriginOf(ctx context.Context) Origin {
	parent, state := telemetry.Inject(ctx)
	return Origin{bus.Cause(ctx), parent, state}
}

// Resume returns ctx as one in which the same is being done.
func (o Origin) Resume(ctx context.Context) context.Context {
	return telemetry.Extract(bus.WithCause(ctx, o.CausationID), o.TraceParent, o.TraceState)
}
