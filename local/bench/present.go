package bench

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/servers"
)

// presentSchema has copies, without orders of the past, of the tables that contain some.
const presentSchema = "present"

// present copies the rows that are not of the past, and returns where an auditor finds them: in tables of the same names that
// come first in the search path. Tables without a past, such as the outbox, are read where they are. The system should be
// at rest, because each database is copied at another moment.
func (r *rig) present(ctx context.Context) (audit.Sources, error) {
	sources := r.sources
	sources.Databases = maps.Clone(r.sources.Databases)
	for _, service := range servers.Services() {
		conn, err := connectTo(ctx, r.Databases.URL, service)
		if err != nil {
			return sources, err
		}
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return copyPresent(ctx, conn, service) })
		_ = conn.Close(context.WithoutCancel(ctx)) // its work is either committed or not
		if err != nil {
			return sources, fmt.Errorf("the present of %s: %w", service, err)
		}
		address, err := url.Parse(sources.Databases[service])
		if err != nil {
			return sources, fmt.Errorf("address of the database: %w", err)
		}
		query := address.Query()
		query.Set("search_path", presentSchema+",public")
		address.RawQuery = query.Encode()
		sources.Databases[service] = address.String()
	}
	return sources, nil
}

// copyPresent works in the connection's transaction. A row of the past is recognised by an id in one of its columns.
func copyPresent(ctx context.Context, conn *pgx.Conn, role string) error {
	owner := pgx.Identifier{role}.Sanitize()
	_, err := conn.Exec(ctx, `
		DROP SCHEMA IF EXISTS `+presentSchema+` CASCADE;
		CREATE SCHEMA `+presentSchema+`;
		GRANT USAGE ON SCHEMA `+presentSchema+` TO `+owner)
	if err != nil {
		return err
	}
	tables, err := tablesOf(ctx, conn)
	if err != nil {
		return err
	}
	for _, table := range tables {
		columns, err := columnsOf(ctx, conn, table)
		if err != nil {
			return err
		}
		if those := notPast(columns); those != "" && table != "inbox" && table != "outbox" {
			name := pgx.Identifier{table}.Sanitize()
			_, err := conn.Exec(ctx, fmt.Sprintf(`
				CREATE TABLE %[1]s.%[2]s (LIKE public.%[2]s INCLUDING INDEXES);
				INSERT INTO %[1]s.%[2]s SELECT * FROM public.%[2]s WHERE %[3]s;
				GRANT SELECT ON %[1]s.%[2]s TO %[4]s`, presentSchema, name, those, owner))
			if err != nil {
				return fmt.Errorf("copy what is new in %s: %w", table, err)
			}
		}
	}
	return nil
}

// notPast is the condition for rows that are not of the past; empty: the table cannot have any.
func notPast(columns []column) string {
	var those []string
	for _, c := range columns {
		if c.Type == "uuid" || c.Name == "reference" {
			name := pgx.Identifier{c.Name}.Sanitize()
			those = append(those, fmt.Sprintf(`(%s IS NULL OR %s NOT BETWEEN '%s' AND '%s')`, name, name, pastMin, pastMax))
		}
	}
	return strings.Join(those, " AND ")
}
