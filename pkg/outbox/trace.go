package outbox

import (
	"context"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/telemetry"
)

// sending are the spans of a batch that is being published: one of the batch, and one of each message, in the message's trace.
type sending struct {
	batch telemetry.Span
	each  []telemetry.Span
}

// send begins the spans. The messages get the trace contexts of their spans, so that handling them comes below.
func send(ctx context.Context, messages []bus.Message) (s sending) {
	_, s.batch = telemetry.Batch(ctx, "publish batch", len(messages), func(i int) string { return messages[i].TraceParent })
	if !s.batch.Recording() {
		return s
	}
	s.each = make([]telemetry.Span, len(messages))
	for i := range messages {
		m := &messages[i]
		m.TraceParent, m.TraceState, s.each[i] = telemetry.Send(telemetry.Message{
			Exchange: m.Exchange, Kind: m.Kind, ID: m.ID, Conversation: m.Subject, Size: len(m.Body), Parent: m.TraceParent, State: m.TraceState,
		}, s.batch)
	}
	return s
}

// finish ends them with the broker's answers.
func (s sending) finish(fates []error) {
	for i, span := range s.each {
		span.End(fates[i])
	}
	s.batch.End(nil)
}
