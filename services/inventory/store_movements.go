package main

import (
	"strings"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
	"github.com/jackc/pgx/v5"
)

// movement is an entry of the ledger: units of a product that arrived, or left for good.
type movement struct {
	Reference string // unique: nothing is entered twice under the same reference
	SKU       string
	Operator  string
	What      string // initial, replenished or taken
	Quantity  int    // negative if units left
}

// key identifies a movement in a unit of work.
func (m *movement) key() string { return m.Reference + "\x00" + m.SKU + "\x00" + m.Operator }

func (m *movement) fields() []any {
	return []any{&m.Reference, &m.SKU, &m.Operator, &m.What, &m.Quantity}
}

func scanMovement(row pgx.CollectableRow) (m movement, err error) {
	err = row.Scan(m.fields()...)
	return m, err
}

// loadMovements queues the query for the named movements. Their products are locked, so that no other transaction adds any.
func loadMovements(tx *postgres.Tx, movements *unit.Rows[string, movement]) {
	named := movements.Named()
	if len(named) == 0 {
		return
	}
	var references, skus, operators []string
	for _, key := range named {
		parts := strings.SplitN(key, "\x00", 3)
		references, skus, operators = append(references, parts[0]), append(skus, parts[1]), append(operators, parts[2])
	}
	postgres.Rows(tx, scanMovement, func(m movement) { movements.Loaded(m.key(), m) }, `
		SELECT reference, sku, operator, what, quantity
		FROM stock_movements
		JOIN unnest($1::text[], $2::text[], $3::text[]) AS named (reference, sku, operator) USING (reference, sku, operator)`,
		references, skus, operators)
}

// insertMovements queues the statement that adds new movements to the ledger.
func insertMovements(tx *postgres.Tx, movements *unit.Rows[string, movement], at time.Time) {
	added, _ := movements.Changes()
	if len(added) == 0 {
		return
	}
	tx.Queue(`
		INSERT INTO stock_movements (reference, sku, operator, what, quantity, at)
		SELECT m.*, $6
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS m`,
		append(unit.Columns(added, (*movement).fields), at)...)
}
