package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// database is a service's database as it is at one moment.
type database struct {
	service string
	tx      pgx.Tx
	cursors int
}

// tables puts the tables of a service on the shelves. A service that has nothing for the rules is only asked for its outbox.
var tables = map[string]func(*database, *shelves){
	"orders": openOrders, "payments": openPayments, "inventory": openInventory, "shipping": openShipping,
}

// ids are the tables whose ids the other books are about.
var ids = map[string]string{"orders": "orders", "inventory": "supplier_orders"}

// connect begins a look at a database; the first query is its moment.
func (s *shelves) connect(ctx context.Context, service, url string) (*database, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = conn.Close(context.WithoutCancel(ctx)) }) // nothing is lost with it
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	return &database{service: service, tx: tx}, err
}

// openDatabase puts the books of a service on the shelves. A part ends at every size-th id.
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

// outboxMost is how many messages of an outbox are read, those first that should have left.
const outboxMost = 10_000

// outboxLease is how long a message belongs to the replica that has sent it, which publishes it from memory.
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

// rows are those of a query, which sorts them by what they are about. Fields gives the places for the columns.
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

// collect reads rows into things.
func collect[T any](ctx context.Context, tx pgx.Tx, fields func(*T) []any, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (thing T, err error) {
		return thing, row.Scan(fields(&thing)...)
	})
}
