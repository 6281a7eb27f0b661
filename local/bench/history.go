package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/servers"
)

// An order of the past is a copy of a real one that was delivered: each copy gets all rows that the services have written
// about that order, in all their present tables and columns, with another id, customer and key. So the benchmark does not
// depend on the services' tables.
//
// The provider, the carrier and the supplier know nothing about orders of the past, so the auditor reads the databases without
// them: see present.go.

// ids of copies: UUIDv7 of the year 2020, so that they are below all real ones and sorted by n. In SQL.
const (
	pastID  = `('016f5e66-' || substr(lpad(to_hex(n), 12, '0'), 1, 4) || '-7' || substr(lpad(to_hex(n), 12, '0'), 5, 3) || '-8000-' || substr(lpad(to_hex(n), 12, '0'), 8, 5) || substr(md5(n::text), 1, 7))`
	pastMin = "016f5e66-0000-7000-8000-000000000000"
	pastMax = "016f5e66-ffff-7fff-8000-ffffffffffff"

	pastCustomers = 50_000
	pastChunk     = 50_000 // copies in one transaction
)

// handled is how many messages each service handles for an order: the inbox gets that many rows for each order of the past.
var handled = map[string]int{"orders": 5, "inventory": 2, "payments": 1, "shipping": 1}

// fill makes the given number of orders of the past, copied from one that is placed here.
func (r *rig) fill(ctx context.Context, row *Row, orders int) error {
	began := time.Now()
	id, err := r.shopper.place(ctx)
	if err != nil {
		return err
	}
	if err := r.shopper.ended(ctx, id); err != nil {
		return err
	}
	if _, err := published(ctx, r.Broker); err != nil { // no message is on its way
		return err
	}
	empty, err := r.size(ctx)
	if err != nil {
		return err
	}
	if err := r.relaxed(ctx, func() error { return r.copyAll(ctx, id, orders) }); err != nil {
		return err
	}
	full, err := r.size(ctx)
	if err != nil {
		return err
	}
	row.History, row.HistoryKB = orders, float64(full-empty)/1024/float64(orders)
	r.tell("%d orders of the past after %.0f s", orders, time.Since(began).Seconds())
	return nil
}

// size is the size of all databases in bytes, with their indexes.
func (r *rig) size(ctx context.Context) (bytes int64, err error) {
	if err := r.orders.QueryRow(ctx, `SELECT sum(pg_database_size(oid))::bigint FROM pg_database`).Scan(&bytes); err != nil {
		return 0, fmt.Errorf("size of the databases: %w", err)
	}
	return bytes, nil
}

// relaxed runs do while PostgreSQL makes fewer checkpoints, and then a checkpoint, so that later measurements do not pay
// for it.
func (r *rig) relaxed(ctx context.Context, do func() error) error {
	conn, err := connectTo(ctx, r.Databases.URL, "postgres")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost with it
	for _, statements := range [][]string{
		{`ALTER SYSTEM SET max_wal_size = '8GB'`, `SELECT pg_reload_conf()`},
		nil,
		{`ALTER SYSTEM RESET max_wal_size`, `SELECT pg_reload_conf()`, `CHECKPOINT`},
	} {
		if statements == nil {
			if err := do(); err != nil {
				return err
			}
		}
		for _, statement := range statements {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
	}
	return nil
}

// copyAll fills the databases of all services at the same time.
func (r *rig) copyAll(ctx context.Context, id string, orders int) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	for _, service := range servers.Services() {
		all.Go(func() {
			if err := r.copyOne(ctx, service, id, orders, handled[service]); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, fmt.Errorf("fill the database of %s: %w", service, err))
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// copyOne fills the database of a service, and its inbox with the given number of messages for each order; 0: none.
func (r *rig) copyOne(ctx context.Context, service, id string, orders, inbox int) error {
	conn, err := connectTo(ctx, r.Databases.URL, service)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost with it
	// Without triggers: the rows that the copies refer to exist, because the original refers to them.
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica; SET synchronous_commit = off`); err != nil {
		return err
	}
	statements, err := copies(ctx, conn, id, inbox)
	if err != nil {
		return err
	}
	for first := 1; first <= orders; first += pastChunk {
		last := min(first+pastChunk-1, orders)
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, statement := range statements {
				if _, err := tx.Exec(ctx, statement, first, last); err != nil {
					return fmt.Errorf("%w in%s", err, statement)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, `VACUUM ANALYZE`)
	return err
}

// copies are the statements that copy all rows about an order, except those in the outbox, which would be sent. It is an
// error when a service has no such row, because the benchmark then does not understand its tables.
func copies(ctx context.Context, conn *pgx.Conn, id string, inbox int) (statements []string, err error) {
	tables, err := tablesOf(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		columns, err := columnsOf(ctx, conn, table)
		if err != nil {
			return nil, err
		}
		switch {
		case table == "outbox", table == "inbox" && inbox == 0:
			continue
		case table == "inbox":
			if err := unknown(table, columns, "id", "received_at"); err != nil {
				return nil, err
			}
			statements = append(statements, fmt.Sprintf(inboxOfPast, inbox))
			continue
		}
		rows, err := templates(ctx, conn, table, columns, id)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			statements = append(statements, copying(table, columns, row, replacementsFor(columns, row, id)))
		}
	}
	if len(statements) == min(inbox, 1) { // only the statement of the inbox
		return nil, fmt.Errorf("no table has a row about order %s", id)
	}
	return statements, nil
}

// inboxOfPast inserts messages that were handled in the last hour, in the order of their ids.
const inboxOfPast = `
	INSERT INTO inbox (id)
	SELECT (substr(at, 1, 8) || '-' || substr(at, 9, 4) || '-7' || substr(md5(n::text || m), 1, 3) || '-8000-' || substr(md5(m || n::text), 1, 12))::uuid
	FROM generate_series($1::bigint, $2::bigint) AS n,
		generate_series(1, %d) AS m,
		lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 3600000 + n), 12, '0') AS at
	ORDER BY n, m`

// replacementsFor lists what differs in each copy: the order's id, and the customer and the key where the row has them.
func replacementsFor(columns []column, row []*string, id string) []replacement {
	replace := []replacement{{id, pastID}}
	for i, c := range columns {
		if row[i] == nil {
			continue
		}
		switch c.Name {
		case "customer_id":
			replace = append(replace, replacement{*row[i], fmt.Sprintf("'customer-' || (n %% %d)", pastCustomers)})
		case "key":
			replace = append(replace, replacement{*row[i], "'past-' || n"})
		}
	}
	return replace
}
