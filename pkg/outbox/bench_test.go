package outbox

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
)

// taken is a broker that takes everything.
type taken struct{}

func (taken) Publish(_ context.Context, batch []bus.Message) []error {
	return make([]error, len(batch))
}

// BenchmarkPublish measures what the relay itself costs to publish a message, without the database and the broker.
func BenchmarkPublish(b *testing.B) {
	r := &Relay{outbox: New("orders"), publisher: taken{}, log: slog.New(slog.DiscardHandler)}
	testkit.Traced(b, func(b *testing.B, parent string) {
		batch := []bus.Message{{
			ID: "0193c7a1-0000-7000-8000-000000000000", Kind: "payments.take_payment", Source: "orders", Subject: "0193c7a1-0000-7000-8000-000000000001",
			Exchange: bus.Commands, Mandatory: true, Time: time.Now(),
		}}
		b.ReportAllocs()
		for b.Loop() {
			batch[0].TraceParent = parent
			if sent, err := r.publish(b.Context(), batch); err != nil || len(sent) != 1 {
				b.Fatal(sent, err)
			}
		}
	})
}
