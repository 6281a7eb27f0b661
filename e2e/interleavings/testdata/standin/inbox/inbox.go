// Package inbox stands in for the inbox, without its memory: a message that arrives again reaches its handler again. In the
// system the same happens to a command that is sent again, to a dead letter that is replayed, and to a message that is a
// week late.
package inbox

import (
	"context"
	"fmt"

	"example.com/orderflow/e2e/interleavings/testdata/standin/pgx"
	"example.com/orderflow/pkg/messages"
)

// Handler handles one kind of message.
type Handler struct {
	kind   string
	handle func(ctx context.Context, tx pgx.Tx, m messages.Message) error
}

// On registers a function, as the real one does.
func On[M messages.Message](handle func(ctx context.Context, tx pgx.Tx, m M) error) Handler {
	var zero M
	return Handler{zero.Kind(), func(ctx context.Context, tx pgx.Tx, m messages.Message) error { return handle(ctx, tx, m.(M)) }}
}

// Kinds lists what there are handlers for.
func Kinds(handlers []Handler) (kinds []string) {
	for _, h := range handlers {
		kinds = append(kinds, h.kind)
	}
	return kinds
}

// Handle gives a message to its handler.
func Handle(handlers []Handler, tx pgx.Tx, m messages.Message) error {
	for _, h := range handlers {
		if h.kind == m.Kind() {
			return h.handle(context.Background(), tx, m)
		}
	}
	return fmt.Errorf("no handler for kind %q", m.Kind())
}
