package outbox

import (
	"context"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/telemetry"
)

// spans begins the spans of publishing a batch: one of the batch, and one of each message, in the trace of the message. The
// messages get the trace contexts of their spans, so that handling them comes below. end is to be called with the broker's
// answers.
func spans(ctx context.Context, batch []bus.Message) (end func(fates []error)) {
	_, whole := telemetry.Batch(ctx, "publish batch", len(batch), func(i int) string { return batch[i].TraceParent })
	if !whole.Recording() {
		return func([]error) {}
	}
	each := make([]telemetry.Span, len(batch))
	for i := range batch {
		m := &batch[i]
		m.TraceParent, m.TraceState, each[i] = telemetry.Send(telemetry.Message{
			Exchange: m.Exchange, Kind: m.Kind, ID: m.ID, Conversation: m.Subject, Size: len(m.Body), Parent: m.TraceParent, State: m.TraceState,
		}, whole)
	}
	return func(fates []error) {
		for i, err := range fates {
			each[i].End(err)
		}
		whole.End(nil)
	}
}
