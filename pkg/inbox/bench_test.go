package inbox

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"github.com/google/uuid"
)

// BenchmarkMessage measures what the inbox itself costs a message, without the database: it is read, and decided.
func BenchmarkMessage(b *testing.B) {
	in := New(nil, slog.New(slog.DiscardHandler), func() nothing { return nothing{} }, On(func(context.Context, nothing, messages.StockReleased) error { return nil }))
	m := messages.StockReleased{OrderID: uuid.Must(uuid.NewV7()).String()}
	body, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	d := bus.Delivery{Attempt: 1, Message: bus.Message{
		ID: uuid.Must(uuid.NewV7()).String(), Kind: m.Kind(), Subject: m.OrderID, Body: body,
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}}
	b.ReportAllocs()
	for b.Loop() {
		l, err := in.open(d)
		if err != nil {
			b.Fatal(err)
		}
		decision, work := l.decision(), &once[nothing]{fresh: map[string]bool{d.ID: true}}
		decision.Name(work)
		if err := decision.Make(work); err != nil {
			b.Fatal(err)
		}
	}
}
