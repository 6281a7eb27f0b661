package inbox

import (
	"context"
	"log/slog"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/telemetry"
)

// Ignored returns a function that counts and logs a message that changed nothing, because it came too late or for the second
// time, with the status that what it is about was in.
func Ignored[S ~string](log *slog.Logger) func(ctx context.Context, m messages.Message, in S) {
	ignored := telemetry.NewCounter("inbox_ignored", "Messages that changed nothing: they came too late, or for the second time.", "kind")
	return func(ctx context.Context, m messages.Message, in S) {
		ignored.Count(ctx, 1, m.Kind())
		log.InfoContext(ctx, "message changed nothing", "kind", m.Kind(), "order_id", m.Subject(), "status", in)
	}
}
