package main

import (
	"strings"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// movement is an entry of the ledger: units of a product that arrived, or left for good.
type movement struct {
	Reference string // unique: nothing is entered twice under the same reference
	SKU       string
	Operator  string
	What      string // initial, replenished or taken
	Quantity  int    // negative if units left
	At        time.Time
}

// key identifies a movement in a unit of work.
func (m *movement) key() string { return m.Reference + "\x00" + m.SKU + "\x00" + m.Operator }

// movementTable has the columns of stock_movements.
var movementTable = postgres.NewTable(func(m *movement, column postgres.Column) {
	column("reference text", &m.Reference)
	column("sku text", &m.SKU)
	column("operator text", &m.Operator)
	column("what text", &m.What)
	column("quantity bigint", &m.Quantity)
	column("at timestamptz", &m.At)
})

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
	postgres.Rows(tx, movementTable.Scan, func(m movement) { movements.Loaded(m.key(), m) }, `
		SELECT `+movementTable.Columns+`
		FROM stock_movements
		JOIN unnest($1::text[], $2::text[], $3::text[]) AS named (reference, sku, operator) USING (reference, sku, operator)`,
		references, skus, operators)
}

// insertMovements queues the statement that adds new movements to the ledger.
func insertMovements(tx *postgres.Tx, movements *unit.Rows[string, movement]) {
	added, _ := movements.Changes()
	if len(added) == 0 {
		return
	}
	tx.Queue(`
		INSERT INTO stock_movements (`+movementTable.Columns+`)
		SELECT *
		FROM `+movementTable.Rows, movementTable.Values(added)...)
}
