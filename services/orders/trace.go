package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/telemetry"
)

// origin returns the cause of what an outcome sends, which is taken from ctx, and its trace, which is the one in which the order was
// placed. A request to cancel, an operator, a deadline and new stock come in other traces, or in none. They become a span in the
// order's trace, with a link to their own.
func (out outcome) origin(ctx context.Context) outbox.Origin {
	o, what := out.order, "asked again"
	if out.entry != nil {
		what = out.entry.What
	}
	ctx, joined := outbox.Join(ctx, "order: "+what, o.ID, o.TraceParent)
	defer joined.End(nil)
	if span := telemetry.Current(ctx); span.Recording() {
		about := []attribute.KeyValue{
			attribute.String("orderflow.order.id", o.ID),
			attribute.String("orderflow.order.status", string(o.Status)),
			attribute.Bool("orderflow.order.compensating", o.Status.compensating()),
			attribute.String("orderflow.order.reason", string(o.Reason)),
		}
		span.Set(about...)
		span.Event(what, about...)
	}
	return outbox.OriginOf(ctx)
}
