package inbox

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit"
	"github.com/google/uuid"
)

// BenchmarkMessage measures what the inbox itself costs a message, without the database: it is read, and decided.
func BenchmarkMessage(b *testing.B) {
	in := New(nil, slog.New(slog.DiscardHandler), func() nothing { return nothing{} }, On(func(context.Context, nothing, messages.StockReleased) error { return nil }))
	testkit.Traced(b, func(b *testing.B, parent string) { handleAlone(b, in, parent) })
}

func handleAlone(b *testing.B, in *Inbox[nothing], parent string) {
	m := messages.StockReleased{OrderID: uuid.Must(uuid.NewV7()).String()}
	body, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	d := bus.Delivery{Attempt: 1, Message: bus.Message{
		ID: uuid.Must(uuid.NewV7()).String(), Kind: m.Kind(), Subject: m.OrderID, Body: body,
		TraceParent: parent,
	}}
	b.ReportAllocs()
	for b.Loop() {
		l, err := in.open(d)
		if err != nil {
			b.Fatal(err)
		}
		letters := []letter[nothing]{l}
		span := begin(b.Context(), letters)
		decision, work := letters[0].decision(), &once[nothing]{fresh: map[string]bool{d.ID: true}}
		decision.Name(work)
		err = decision.Make(work)
		finish(span, letters, []error{err})
		if err != nil {
			b.Fatal(err)
		}
	}
}
