package inbox

import (
	"context"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/otel/attribute"
)

// spans gives each letter the context in which it is handled, and begins the spans: one of the batch, and one of each letter, in
// the trace of its message. A letter's span lasts as long as the transaction, which decides what becomes of all of them. ended is
// to be called with the verdicts, in the order in which the batch has arrived.
func spans[W Work](ctx context.Context, letters []letter[W]) (ended func(verdicts []error)) {
	_, whole := telemetry.Batch(ctx, "process batch", len(letters), func(i int) string { return letters[i].TraceParent })
	for i := range letters {
		l := &letters[i]
		exchange, _ := bus.Route(l.content)
		l.ctx, l.span = telemetry.Consume(bus.WithCause(ctx, l.ID), about(l.Delivery, exchange), whole)
	}
	return func(verdicts []error) {
		for _, l := range letters {
			end(l.span, l.Delivery, verdicts[l.index])
		}
		whole.End(nil)
	}
}

// unreadable records a delivery that could not be read.
func unreadable(ctx context.Context, d bus.Delivery, err error) {
	_, span := telemetry.Consume(ctx, about(d, ""), telemetry.Span{})
	end(span, d, err)
}

func about(d bus.Delivery, exchange string) telemetry.Message {
	return telemetry.Message{
		Exchange: exchange, Kind: d.Kind, Queue: d.Queue, ID: d.ID, Conversation: d.Subject, Size: len(d.Body), Attempt: d.Attempt,
		Parent: d.TraceParent, State: d.TraceState,
	}
}

// end ends the span of a delivery with the verdict about it.
func end(span telemetry.Span, d bus.Delivery, verdict error) {
	if !span.Recording() {
		return
	}
	outcome, reason := d.Outcome(verdict)
	span.Set(attribute.String("orderflow.message.outcome", outcome))
	if reason != "" {
		span.Event("dead letter", attribute.String("orderflow.message.dead_reason", reason))
	}
	span.End(verdict)
}
