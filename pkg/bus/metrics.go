package bus

import (
	"context"
	"errors"
	"hash/crc32"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

type meters struct {
	publishedTotal metric.Int64Counter
	handledTotal   metric.Int64Counter
}

// newMeters makes the bus's instruments. Their names are constants, so making them cannot fail.
func newMeters(b *Broker) meters {
	m := otel.Meter("orderflow/bus")
	var out meters
	out.publishedTotal, _ = m.Int64Counter("bus_published", metric.WithDescription("Messages offered to the broker, by kind and outcome."))
	out.handledTotal, _ = m.Int64Counter("bus_handled", metric.WithDescription("Messages taken from a queue, by queue, kind and outcome."))
	_, _ = m.Int64ObservableGauge("bus_connected", metric.WithDescription("1 while every part has a session with the broker."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			if b.Connected() {
				o.Observe(1)
			} else {
				o.Observe(0)
			}
			return nil
		}))
	return out
}

// observeAge registers the age of a queue's messages as a metric. A program has several queues, and a callback that is
// given when the instrument is made would be used for the first of them only.
func observeAge(queue string, age func() time.Duration) {
	m, name := otel.Meter("orderflow/bus"), metric.WithAttributes(attribute.String("queue", queue))
	gauge, _ := m.Float64ObservableGauge("bus_queue_age", metric.WithUnit("s"),
		metric.WithDescription("How long ago the oldest message was sent that the consumer of a queue has in hand; 0: it has none."))
	_, _ = m.RegisterCallback(func(_ context.Context, o metric.Observer) error { // constant names: it cannot fail
		o.ObserveFloat64(gauge, age().Seconds(), name)
		return nil
	}, gauge)
}

func (m meters) published(ctx context.Context, kind string, err error) {
	outcome := "confirmed"
	switch {
	case errors.Is(err, ErrUnavailable):
		outcome = "unavailable"
	case err != nil:
		outcome = "refused"
	}
	m.publishedTotal.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", kind), attribute.String("outcome", outcome)))
}

// handles shows the kinds of a queue before any message has come: so everybody who reads the metrics knows where each kind goes.
func (m meters) handles(queue Queue) {
	for _, kind := range queue.Kinds {
		m.count(context.Background(), 0, queue.Name(), kind, "done")
	}
}

// handled counts a delivery. The kind is a label only when the message was handled: senders can invent kinds, and each
// would be a new time series.
func (m meters) handled(ctx context.Context, queue, kind, outcome string) {
	if outcome != "done" {
		kind = ""
	}
	m.count(ctx, 1, queue, kind, outcome)
}

func (m meters) count(ctx context.Context, n int64, queue, kind, outcome string) {
	m.handledTotal.Add(ctx, n, metric.WithAttributes(attribute.String("queue", queue), attribute.String("kind", kind), attribute.String("outcome", outcome)))
}

func checksum(body []byte) uint32 { return crc32.ChecksumIEEE(body) }
