package postgres

import (
	"context"

	"example.com/orderflow/pkg/telemetry"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"
)

// observe publishes the state of a pool as metrics. A program has one pool.
func observe(pool *pgxpool.Pool) {
	m := telemetry.Meter()
	connections, _ := m.Int64ObservableGauge("postgres_pool_connections", metric.WithDescription("Connections to PostgreSQL, by state: acquired or idle."))
	most, _ := m.Int64ObservableGauge("postgres_pool_connections_max", metric.WithDescription("How many connections the pool may have."))
	waits, _ := m.Int64ObservableCounter("postgres_pool_waits", metric.WithDescription("How often somebody had to wait for a connection."))
	waited, _ := m.Float64ObservableCounter("postgres_pool_wait", metric.WithUnit("s"), metric.WithDescription("How long they have waited, all together."))
	acquired, idle := telemetry.Label("state", "acquired"), telemetry.Label("state", "idle")
	telemetry.Gauges(func(_ context.Context, o metric.Observer) error {
		now := pool.Stat()
		o.ObserveInt64(connections, int64(now.AcquiredConns()), acquired)
		o.ObserveInt64(connections, int64(now.IdleConns()), idle)
		o.ObserveInt64(most, int64(now.MaxConns()))
		o.ObserveInt64(waits, now.EmptyAcquireCount())
		o.ObserveFloat64(waited, now.EmptyAcquireWaitTime().Seconds())
		return nil
	}, connections, most, waits, waited)
}
