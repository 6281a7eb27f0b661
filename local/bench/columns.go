package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// column is one of a table, as information_schema describes it.
type column struct {
	Name   string
	Type   string // as a cast takes it: uuid, text, timestamp with time zone
	Made   bool   // by PostgreSQL itself, so that nobody may write it
	Needed bool   // without a default, and not null
}

// columnsOf lists the columns of a table that the services made.
func columnsOf(ctx context.Context, conn *pgx.Conn, table string) ([]column, error) {
	rows, err := conn.Query(ctx, `
		SELECT c.column_name, format_type(a.atttypid, a.atttypmod),
			c.is_identity = 'YES' OR c.is_generated = 'ALWAYS',
			c.is_nullable = 'NO' AND c.column_default IS NULL AND c.is_identity = 'NO' AND c.is_generated = 'NEVER'
		FROM information_schema.columns AS c
		JOIN pg_attribute AS a ON a.attrelid = format('%I.%I', c.table_schema, c.table_name)::regclass AND a.attname = c.column_name
		WHERE c.table_schema = 'public' AND c.table_name = $1
		ORDER BY c.ordinal_position`, table)
	if err != nil {
		return nil, fmt.Errorf("columns of %s: %w", table, err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		return nil, fmt.Errorf("columns of %s: %w", table, err)
	}
	return columns, nil
}

// tablesOf lists the tables of a service, without partitions of others and those about migrations.
func tablesOf(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT relname
		FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname !~ '(goose|migrations|_version$)'
		ORDER BY relname`)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return tables, nil
}

// templates are the rows of a table that a text is in, column by column as text; a null is nil.
func templates(ctx context.Context, conn *pgx.Conn, table string, columns []column, of string) ([][]*string, error) {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = pgx.Identifier{c.Name}.Sanitize() + "::text"
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(`
		SELECT %s
		FROM %s AS t
		WHERE strpos(t::text, $1) > 0`, strings.Join(texts, ", "), pgx.Identifier{table}.Sanitize()), of)
	if err != nil {
		return nil, fmt.Errorf("rows of %s: %w", table, err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]*string, error) {
		values := make([]*string, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		return values, row.Scan(into...)
	})
	if err != nil {
		return nil, fmt.Errorf("rows of %s: %w", table, err)
	}
	return found, nil
}

// replacement is a text of the template that is another one in each copy. With is SQL over n.
type replacement struct{ text, with string }

// copying is the statement that copies a row, from the numbers $1 to $2. What is the same in all copies is written into it.
func copying(table string, columns []column, row []*string, replace []replacement) string {
	var names, values []string
	for i, c := range columns {
		if c.Made {
			continue
		}
		names = append(names, pgx.Identifier{c.Name}.Sanitize())
		value := "NULL"
		if row[i] != nil {
			value = literal(*row[i])
			for _, r := range replace {
				if strings.Contains(*row[i], r.text) {
					value = "replace(" + value + ", " + literal(r.text) + ", " + r.with + ")"
				}
			}
		}
		values = append(values, "("+value+")::"+c.Type)
	}
	return fmt.Sprintf(`
		INSERT INTO %s (%s)
		SELECT %s
		FROM generate_series($1::bigint, $2::bigint) AS n`, pgx.Identifier{table}.Sanitize(), strings.Join(names, ", "), strings.Join(values, ", "))
}

// literal quotes a text for SQL, whatever is in it.
func literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// unknown is the error for a column that nobody told the benchmark how to fill.
func unknown(table string, columns []column, known ...string) error {
	for _, c := range columns {
		if c.Needed && !slices.Contains(known, c.Name) {
			return fmt.Errorf("the benchmark does not know what to write into %s.%s: see local/bench/history.go", table, c.Name)
		}
	}
	return nil
}
