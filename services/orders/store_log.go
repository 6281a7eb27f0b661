package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
)

// logTable has the columns of operator_log, except the number that PostgreSQL gives.
var logTable = postgres.NewTable(func(l *logged, column postgres.Column) {
	column("order_id uuid", &l.OrderID)
	column("at timestamptz", &l.At)
	column("operator text", &l.Operator)
	column("what text", &l.What)
	column("why text", &l.Why)
})

// readLog returns what only the operators' log has of an order, oldest first.
func readLog(ctx context.Context, db *postgres.DB, id string) ([]action, error) {
	scan := func(row pgx.CollectableRow) (action, error) {
		l, err := logTable.Scan(row)
		if l.Event = commandSent; l.What == noteText {
			l.Event = noteAdded
		}
		return l.action, err
	}
	actions, err := postgres.Read(ctx, db, scan, `
		SELECT `+logTable.Columns+`
		FROM operator_log
		WHERE order_id = $1
		ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return actions, nil
}

// insertLog queues the statement that adds to the operators' log.
func insertLog(tx *postgres.Tx, entries []logged) {
	if len(entries) == 0 {
		return
	}
	tx.Queue(`
		INSERT INTO operator_log (`+logTable.Columns+`)
		SELECT *
		FROM `+logTable.Rows, logTable.Values(entries)...)
}
