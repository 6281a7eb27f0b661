// Package outbox replaces the outbox: a message is under way at once, because the network may delay it anyway.
package outbox

import (
	"context"

	"example.com/orderflow/e2e/interleavings/testdata/standin/postgres"
	"example.com/orderflow/pkg/messages"
)

// Origin is empty here.
type Origin struct{}

// OriginOf returns an empty Origin.
func OriginOf(context.Context) Origin { return Origin{} }

// Resume returns ctx.
func (Origin) Resume(ctx context.Context) context.Context { return ctx }

// Within returns o.
func (o Origin) Within(context.Context) Origin { return o }

// Letter is a message with its origin.
type Letter struct {
	messages.Message
	Origin Origin
}

// Letters makes letters of messages.
func Letters(origin Origin, msgs ...messages.Message) (letters []Letter) {
	for _, m := range msgs {
		letters = append(letters, Letter{m, origin})
	}
	return letters
}

// Outbox is the outbox of a world.
type Outbox struct{}

// Send sends. An event about several stages of a parcel is sent as one event for each stage, which may arrive in any order or be
// lost: this includes all behaviours of the single event.
func (*Outbox) Send(tx *postgres.Tx, letters ...Letter) error {
	for _, l := range letters {
		tx.World.(interface {
			Send(msgs ...messages.Message)
		}).Send(messages.Unfold(l.Message)...)
	}
	return nil
}
