// Package outbox makes a change of state and the messages about it one thing (the transactional outbox pattern: Chris
// Richardson, Microservices Patterns, 2018): messages are rows in the transaction that changes the state, and a relay
// publishes the rows that were committed. Nothing else in the system publishes.
package outbox

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/telemetry"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations makes the outbox's table.
func Migrations() postgres.Migrations { return postgres.Sub("outbox", files, "migrations") }

// At gives a message a time before which it is not published. A deadline of the business is such a message to oneself. A
// time in the past means now.
func At(due time.Time, m messages.Message) messages.Message { return delayed{m, due} }

type delayed struct {
	messages.Message
	due time.Time
}

// Send writes messages that are published once tx has committed, and never if it has not: one statement for all.
func Send(ctx context.Context, tx pgx.Tx, msgs ...messages.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	var ids, exchanges, kinds, subjects, bodies []string
	var mandatory []bool
	var due []time.Time
	for _, m := range msgs {
		var at time.Time
		if d, ok := m.(delayed); ok {
			m, at = d.Message, d.due
		}
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode %s: %w", m.Kind(), err)
		}
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("message id: %w", err)
		}
		exchange, must := bus.Route(m)
		ids, exchanges, mandatory, due = append(ids, id.String()), append(exchanges, exchange), append(mandatory, must), append(due, at)
		kinds, subjects, bodies = append(kinds, m.Kind()), append(subjects, m.Subject()), append(bodies, string(body))
	}
	parent, state := telemetry.Inject(ctx)
	_, err := tx.Exec(ctx, `
		INSERT INTO outbox (id, exchange, mandatory, kind, subject, body, due_at, causation_id, trace_parent, trace_state)
		SELECT id, exchange, mandatory, kind, subject, body, greatest(due_at, now()), $8, $9, $10
		FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::json[], $7::timestamptz[])
			AS m (id, exchange, mandatory, kind, subject, body, due_at)`,
		ids, exchanges, mandatory, kinds, subjects, bodies, due, bus.Cause(ctx), parent, state)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}
