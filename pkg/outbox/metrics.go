package outbox

import (
	"context"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/telemetry"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/metric"
)

// countedMost is how many messages are counted: more would tell nothing new, and take time.
const countedMost = 10_000

// Backlog is what an outbox holds. Due and Refused are at most countedMost.
type Backlog struct {
	Due     int64         // messages that could be published now
	Refused int64         // of all messages, those that the broker has refused at least once
	Oldest  time.Duration // how long ago the oldest message was sent that the broker has not refused
}

// Waiting reads the backlog of the outbox in db. The age is not that of the time at which a message is due: while the broker
// is away, each attempt makes that the present.
func Waiting(ctx context.Context, db *postgres.DB) (Backlog, error) {
	all, err := postgres.Planned(ctx, db, func(row pgx.CollectableRow) (b Backlog, err error) {
		var seconds float64
		err = row.Scan(&b.Due, &b.Refused, &seconds)
		b.Oldest = time.Duration(seconds * float64(time.Second))
		return b, err
	}, `
		SELECT
			(SELECT count(*) FROM (SELECT FROM outbox WHERE due_at <= now() ORDER BY due_at LIMIT $1) AS due),
			(SELECT count(*) FROM (SELECT FROM outbox WHERE attempts > 0 LIMIT $1) AS refused),
			coalesce(extract(epoch FROM now() - (
				SELECT min(created_at)
				FROM (SELECT created_at, attempts FROM outbox ORDER BY id LIMIT $1) AS first
				WHERE attempts = 0)), 0)`, countedMost)
	if err != nil {
		return Backlog{}, err
	}
	return all[0], nil
}

// observe publishes the backlog as metrics, read when they are asked for.
func observe(db *postgres.DB) {
	m := telemetry.Meter()
	due, _ := m.Int64ObservableGauge("outbox_due", metric.WithDescription("Messages in the outbox that could be published now."))
	refused, _ := m.Int64ObservableGauge("outbox_refused", metric.WithDescription("Messages in the outbox that the broker has refused at least once, such as unroutable ones."))
	oldest, _ := m.Float64ObservableGauge("outbox_oldest", metric.WithUnit("s"), metric.WithDescription("How long ago the oldest message was sent that is still there and that the broker has not refused."))
	telemetry.Gauges(func(ctx context.Context, o metric.Observer) error {
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
