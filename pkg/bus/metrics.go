package bus

import (
	"context"
	"errors"
	"hash/crc32"
	"time"

	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/otel/metric"
)

// meters are the bus's instruments.
type meters struct {
	publishedTotal *telemetry.Counter
	publishTook    *telemetry.Histogram
	publishBatch   *telemetry.Histogram
	handledTotal   *telemetry.Counter
	handleTook     *telemetry.Histogram
	handleBatch    *telemetry.Histogram
}

func newMeters(b *Broker) meters {
	connected, _ := telemetry.Meter().Int64ObservableGauge("bus_connected", metric.WithDescription("1 while every part has a session with the broker, by account."))
	account := telemetry.Label("account", b.service)
	telemetry.Gauges(func(_ context.Context, o metric.Observer) error {
		switch {
		case b.Connected():
			o.ObserveInt64(connected, 1, account)
		case b.parts.Load() > 0: // otherwise nobody wants a session, as when nobody looks at the messages of the tap
			o.ObserveInt64(connected, 0, account)
		}
		return nil
	}, connected)
	return meters{
		publishedTotal: telemetry.NewCounter("bus_published", "Messages offered to the broker, by kind and outcome.", "kind", "outcome"),
		publishTook:    telemetry.NewHistogram("bus_publish_duration", "s", "How long a batch took, from its first message to its last confirm.", telemetry.Seconds),
		publishBatch:   telemetry.NewHistogram("bus_publish_batch", "", "Messages that were offered to the broker together.", telemetry.Sizes),
		handledTotal:   telemetry.NewCounter("bus_handled", "Messages taken from a queue, by queue, kind and outcome.", "queue", "kind", "outcome"),
		handleTook: telemetry.NewHistogram("bus_handle_duration", "s", "How long messages took, from the batch that they came in to their verdict.",
			telemetry.Seconds, "queue", "kind"),
		handleBatch: telemetry.NewHistogram("bus_handle_batch", "", "Messages that were handled together.", telemetry.Sizes, "queue"),
	}
}

// observeAge registers the age of a queue's messages as a metric.
func observeAge(queue string, age func() time.Duration) {
	gauge, _ := telemetry.Meter().Float64ObservableGauge("bus_queue_age", metric.WithUnit("s"),
		metric.WithDescription("How long ago the oldest message was sent that the consumer of a queue has in hand; 0: it has none."))
	name := telemetry.Label("queue", queue)
	telemetry.Gauges(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(gauge, age().Seconds(), name)
		return nil
	}, gauge)
}

// published counts a batch that was offered to the broker.
func (m meters) published(ctx context.Context, batch []envelope, errs []error, took time.Duration) {
	m.publishTook.Measure(ctx, took.Seconds())
	m.publishBatch.Measure(ctx, float64(len(batch)))
	for i, err := range errs {
		outcome := "confirmed"
		switch {
		case errors.Is(err, ErrUnavailable):
			outcome = "unavailable"
		case err != nil:
			outcome = "refused"
		}
		m.publishedTotal.Count(ctx, 1, batch[i].key, outcome)
	}
}

// handles shows what can become of the messages of a queue before any has come: so everybody who reads the metrics knows where
// each kind goes, and the first dead letter is a rise.
func (m meters) handles(queue Queue) {
	ctx := context.Background()
	for _, kind := range queue.Kinds {
		m.handledTotal.Count(ctx, 0, queue.Name(), kind, outcomeDone)
	}
	m.handledTotal.Count(ctx, 0, queue.Name(), "", outcomeRetry)
	m.handledTotal.Count(ctx, 0, queue.Name(), "", outcomeDead)
}

// handled counts a delivery. The kind is a label only when the message was handled: senders can invent kinds, and each
// would be a new time series.
func (m meters) handled(ctx context.Context, queue, kind, outcome string, took time.Duration) {
	if outcome != outcomeDone {
		kind = ""
	}
	m.handledTotal.Count(ctx, 1, queue, kind, outcome)
	m.handleTook.Measure(ctx, took.Seconds(), queue, kind)
}

func checksum(body []byte) uint32 { return crc32.ChecksumIEEE(body) }
