// Package outbox stands in for the outbox: what is sent is under way at once, for the network may delay it anyway.
package outbox

import (
	"context"

	"example.com/orderflow/e2e/interleavings/testdata/standin/pgx"
	"example.com/orderflow/pkg/messages"
)

// Origin is of no consequence here.
type Origin struct{}

// OriginOf returns it.
func OriginOf(context.Context) Origin { return Origin{} }

// Resume returns ctx.
func (Origin) Resume(ctx context.Context) context.Context { return ctx }

// Send sends.
func Send(_ context.Context, tx pgx.Tx, msgs ...messages.Message) error {
	tx.Send(msgs...)
	return nil
}
