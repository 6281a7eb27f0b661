package bus

import "context"

type causeKey struct{}

// WithCause returns ctx with the id of the message that is being handled. Messages that the handler sends name it as their
// cause.
func WithCause(ctx context.Context, messageID string) context.Context {
	return context.WithValue(ctx, causeKey{}, messageID)
}

// Cause returns the id of the message that is being handled, or "".
func Cause(ctx context.Context) string {
	id, _ := ctx.Value(causeKey{}).(string)
	return id
}
