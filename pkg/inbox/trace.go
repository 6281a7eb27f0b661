package inbox

import (
	"context"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/otel/attribute"
)

// begin gives each letter the context in which it is handled, and begins the spans: one of the batch, which it returns, and one of
// each letter, in the trace of its message. A letter's span lasts as long as the transaction, which decides what becomes of all of
// them.
func begin[W Work](ctx context.Context, letters []letter[W]) (batch telemetry.Span) {
	_, batch = telemetry.Batch(ctx, "process batch", len(letters), func(i int) string { return letters[i].TraceParent })
	for i := range letters {
		l := &letters[i]
		exchange, _ := bus.Route(l.content)
		l.ctx, l.span = telemetry.Consume(bus.WithCause(ctx, l.ID), about(l.Delivery, exchange), batch)
	}
	return batch
}

// finish ends the spans with the verdicts about the letters.
func finish[W Work](batch telemetry.Span, letters []letter[W], verdicts []error) {
	for i := range letters {
		end(letters[i].span, letters[i].Delivery, verdicts[letters[i].index])
	}
	batch.End(nil)
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
