// Package inbox replaces the inbox with one that remembers nothing: a repeated message reaches its handler again. In the
// system, the same happens to a command that is sent again, to a dead letter that is replayed, and to a message that is a
// week late.
package inbox

import (
	"context"
	"fmt"

	"example.com/orderflow/e2e/interleavings/testdata/standin/unit"
	"example.com/orderflow/pkg/messages"
)

// Work is a service's unit of work.
type Work interface {
	unit.Work
	About(m messages.Message)
}

// Handler handles one kind of message.
type Handler[W Work] struct {
	kind   string
	decide func(ctx context.Context, w W, m messages.Message) error
}

// On registers a function, as the real one does.
func On[W Work, M messages.Message](decide func(ctx context.Context, w W, m M) error) Handler[W] {
	var zero M
	return Handler[W]{zero.Kind(), func(ctx context.Context, w W, m messages.Message) error { return decide(ctx, w, m.(M)) }}
}

// Kinds lists the kinds that have a handler.
func Kinds[W Work](handlers []Handler[W]) (kinds []string) {
	for _, h := range handlers {
		kinds = append(kinds, h.kind)
	}
	return kinds
}

// Handle passes a message to its handler.
func Handle[W Work](handlers []Handler[W], office *unit.Office[W], m messages.Message) error {
	for _, h := range handlers {
		if h.kind == m.Kind() {
			return office.Do(context.Background(), unit.Decision[W]{
				Name: func(w W) { w.About(m) },
				Make: func(w W) error { return h.decide(context.Background(), w, m) },
			})
		}
	}
	return fmt.Errorf("no handler for kind %q", m.Kind())
}
