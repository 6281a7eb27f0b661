package outbox

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
)

// taken is a broker that takes everything.
type taken struct{}

func (taken) Publish(_ context.Context, batch []bus.Message) []error {
	return make([]error, len(batch))
}

// BenchmarkPublish measures what the relay itself costs to publish a message, without the database and the broker.
func BenchmarkPublish(b *testing.B) {
	r := &Relay{outbox: New("orders"), publisher: taken{}, log: slog.New(slog.DiscardHandler)}
	batch := []bus.Message{{
		ID: "0193c7a1-0000-7000-8000-000000000000", Kind: "payments.take_payment", Source: "orders", Subject: "0193c7a1-0000-7000-8000-000000000001",
		Exchange: bus.Commands, Mandatory: true, Time: time.Now(), TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}}
	b.ReportAllocs()
	for b.Loop() {
		if sent, err := r.publish(b.Context(), batch); err != nil || len(sent) != 1 {
			b.Fatal(sent, err)
		}
	}
}
