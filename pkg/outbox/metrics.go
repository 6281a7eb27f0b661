package outbox

import (
	"context"
	"time"

	"example.com/orderflow/pkg/postgres"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// Backlog is what an outbox holds.
type Backlog struct {
	Due     int64         // messages that could be published now
	Refused int64         // of all messages, those that the broker has refused at least once
	Oldest  time.Duration // how long the oldest due message has been waiting
}

// Waiting reads the backlog of the outbox in db.
func Waiting(ctx context.Context, db *postgres.DB) (b Backlog, err error) {
	var seconds float64
	err = db.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE due_at <= now()),
			count(*) FILTER (WHERE attempts > 0),
			coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE due_at <= now())), 0)
		FROM outbox`).Scan(&b.Due, &b.Refused, &seconds)
	b.Oldest = time.Duration(seconds * float64(time.Second))
	return b, err
}

// observe publishes the backlog as metrics, read when they are asked for.
func observe(db *postgres.DB) {
	m := otel.Meter("orderflow/outbox")
	due, _ := m.Int64ObservableGauge("outbox_due", metric.WithDescription("Messages in the outbox that could be published now."))
	refused, _ := m.Int64ObservableGauge("outbox_refused", metric.WithDescription("Messages in the outbox that the broker has refused at least once, such as unroutable ones."))
	oldest, _ := m.Float64ObservableGauge("outbox_oldest", metric.WithUnit("s"), metric.WithDescription("How long the oldest due message has been waiting."))
	_, _ = m.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		b, err := Waiting(ctx, db)
		if err != nil {
			return err
		}
		o.ObserveInt64(due, b.Due)
		o.ObserveInt64(refused, b.Refused)
		o.ObserveFloat64(oldest, b.Oldest.Seconds())
		return nil
	}, due, refused, oldest)
}
