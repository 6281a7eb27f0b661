package postgres

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Table names each column of a table once, with its type and the field of R that holds it. Statements are written where they
// run, and take their lists of columns from here:
//
//	SELECT `+payments.Columns+`                    read by payments.Scan
//	FROM payments
//
//	INSERT INTO payments (`+payments.Columns+`)
//	SELECT *
//	FROM `+payments.Rows                           with payments.Values(added)...
//
//	UPDATE payments AS p
//	SET `+payments.Set+`
//	FROM `+payments.Changes+`
//	WHERE p.order_id = n.order_id                  with payments.Changed(changed)...
//
// Rows are passed as one array for each column, so a statement has the same text for any number of rows.
type Table[R any] struct {
	Columns  string // the names of all columns
	Rest     string // the names of all columns but the key
	Rows     string // unnest of the arrays of all columns
	Set      string // each column that changes = n.…
	Changes  string // unnest of the arrays of the key and the columns that change, AS n
	Excluded string // each column that changes = excluded.…, for ON CONFLICT

	columns func(*R, Column)
	all     []int // for each column, its place in Rows
	changes []int // for each column, its place in Changes; -1: it has none
}

// Column is called for each column of a table: with its name and type, and with a pointer to its field.
type Column func(column string, field any)

// NewTable returns a table with the columns for which columns calls its argument. The first one is the key. A column that is
// fixed once the row is there says so:
//
//	func(p *payment, column postgres.Column) {
//		column("order_id uuid", &p.OrderID)
//		column("created_at timestamptz fixed", &p.CreatedAt)
//		column("status text", &p.Status)
//	}
//
// It panics when this is not what it gets.
func NewTable[R any](columns func(*R, Column)) *Table[R] {
	t := &Table[R]{columns: columns}
	var names, arrays, set, excluded, changing, changes []string
	columns(new(R), func(column string, field any) {
		words := strings.Fields(column)
		fixed := len(words) == 3 && words[2] == "fixed"
		if to := reflect.ValueOf(field); len(words) != 2 && (!fixed || names == nil) || to.Kind() != reflect.Pointer || to.IsNil() {
			panic(fmt.Sprintf("no column with its type, and a pointer to its field: %q, %T", column, field))
		}
		array := func(list []string) string { return fmt.Sprintf("$%d::%s[]", len(list)+1, words[1]) }
		t.all, t.changes = append(t.all, len(names)), append(t.changes, -1)
		if name := words[0]; !fixed {
			t.changes[len(names)] = len(changes)
			changing, changes = append(changing, name), append(changes, array(changes))
			set, excluded = append(set, name+" = n."+name), append(excluded, name+" = excluded."+name)
		}
		names, arrays = append(names, words[0]), append(arrays, array(arrays))
	})
	list := func(all []string) string { return strings.Join(all, ", ") }
	t.Columns, t.Rest, t.Rows = list(names), list(names[1:]), "unnest("+list(arrays)+")"
	t.Set, t.Excluded, t.Changes = list(set[1:]), list(excluded[1:]), "unnest("+list(changes)+") AS n ("+list(changing)+")"
	return t
}

// Fields returns pointers to the fields of a row, in the order of Columns.
func (t *Table[R]) Fields(row *R) []any {
	fields := make([]any, 0, len(t.all)+1) // one more: some statements return another value behind the columns
	t.columns(row, func(_ string, field any) { fields = append(fields, field) })
	return fields
}

// Scan reads a row of Columns.
func (t *Table[R]) Scan(from pgx.CollectableRow) (row R, err error) {
	err = from.Scan(t.Fields(&row)...)
	return row, err
}

// Values returns the arguments of Rows.
func (t *Table[R]) Values(rows []R) []any { return t.arrays(rows, t.all) }

// Changed returns the arguments of Changes.
func (t *Table[R]) Changed(rows []R) []any { return t.arrays(rows, t.changes) }

// arrays returns those columns of rows that have a place, each as an array.
func (t *Table[R]) arrays(rows []R, places []int) []any {
	arguments := make([]any, slices.Max(places)+1)
	row, next, values := 0, 0, make([]any, len(arguments)*len(rows))
	put := func(_ string, field any) {
		if place := places[next]; place >= 0 {
			values[place*len(rows)+row] = field
		}
		next++
	}
	for row = range rows {
		next = 0
		t.columns(&rows[row], put)
	}
	for place := range arguments {
		arguments[place] = values[place*len(rows) : (place+1)*len(rows)]
	}
	return arguments
}
