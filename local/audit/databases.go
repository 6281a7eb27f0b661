package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// database is a snapshot of a service's database.
type database struct {
	service string
	tx      pgx.Tx
	cursors int
}

// tables adds the tables of a service to the shelves. Of a service that no rule is about, only the outbox is read.
var tables = map[string]func(*database, *shelves){
	"orders": openOrders, "payments": openPayments, "inventory": openInventory, "shipping": openShipping,
}

// ids are the tables that define the ids which the other books refer to.
var ids = map[string]string{"orders": "orders", "inventory": "supplier_orders"}

// connect connects to a database; the first query takes the snapshot.
func (s *shelves) connect(ctx context.Context, service, url string) (*database, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = conn.Close(context.WithoutCancel(ctx)) }) // nothing is lost with it
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	return &database{service: service, tx: tx}, err
}

// openDatabase adds the books of a service to the shelves. A part ends at every size-th id.
func (s *shelves) openDatabase(ctx context.Context, service, url string, size int) error {
	d, err := s.connect(ctx, service, url)
	if err != nil {
		return err
	}
	waiting, err := d.outbox(ctx)
	if err != nil {
		return wrap("outbox", err)
	}
	s.messages = append(s.messages, waiting...)
	if table := ids[service]; table != "" {
		bounds, err := d.bounds(ctx, table, size)
		if err != nil {
			return wrap(table, err)
		}
		s.bounds = append(s.bounds, bounds...)
	}
	if open := tables[service]; open != nil {
		open(d, s)
	}
	return nil
}

func (d *database) bounds(ctx context.Context, table string, size int) ([]string, error) {
	rows, err := d.tx.Query(ctx, `
		SELECT id::text
		FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM `+pgx.Identifier{table}.Sanitize()+`) AS numbered
		WHERE n % $1 = 0`, size)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// outboxMost is the number of messages that are read from an outbox, the most overdue first.
const outboxMost = 10_000

// outboxLease is how long a message is leased to the replica that sent it, which publishes it from memory.
const outboxLease = 5 * time.Second

func (d *database) outbox(ctx context.Context) ([]Message, error) {
	waiting, err := collect(ctx, d.tx, func(m *Message) []any {
		return []any{&m.ID, &m.Kind, &m.Subject, &m.Early, &m.Fresh, &m.Attempts, &m.LastError}
	}, `
		SELECT id::text, kind, subject, due_at > now(), attempts = 0 AND due_at > now() AND created_at > now() - $2::interval, attempts, last_error
		FROM outbox
		ORDER BY attempts = 0 AND due_at > now(), id
		LIMIT $1`, outboxMost, outboxLease)
	for i := range waiting {
		waiting[i].Where = outboxOf(d.service)
	}
	return waiting, err
}

// cursorRows is how many rows are fetched at a time.
const cursorRows = 1000

// rows are the rows of a query, which sorts them by the id that they are about. fields returns the targets of the columns.
func rows[T any](d *database, about func(T) string, fields func(*T) []any, sql string) *sorted[T] {
	d.cursors++
	name, declared := fmt.Sprintf("book_%d", d.cursors), false
	return &sorted[T]{about: about, more: func(ctx context.Context) ([]T, error) {
		if !declared {
			if _, err := d.tx.Exec(ctx, `DECLARE `+name+` NO SCROLL CURSOR FOR `+sql); err != nil {
				return nil, err
			}
			declared = true
		}
		return collect(ctx, d.tx, fields, fmt.Sprintf(`FETCH %d FROM %s`, cursorRows, name))
	}}
}

// collect reads the rows of a query into a slice.
func collect[T any](ctx context.Context, tx pgx.Tx, fields func(*T) []any, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (thing T, err error) {
		return thing, row.Scan(fields(&thing)...)
	})
}
