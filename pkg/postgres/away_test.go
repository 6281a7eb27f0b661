package postgres_test

import (
	"fmt"
	"testing"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"github.com/jackc/pgx/v5"
)

// Things that an operator can do to a database while a program uses it. None is the fault of a message or a request, and
// all can be over in a moment. The program's connections end, as they do by themselves from time to time.
func TestWhenAnOperatorShutsADatabaseStatementsAreNotBlamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, do, undo string // %[1]s is the name of the role and of its database
	}{
		{"the password is another one", `ALTER ROLE %[1]s PASSWORD 'new'`, `ALTER ROLE %[1]s PASSWORD 'secret'`},
		{"the password has expired", `ALTER ROLE %[1]s VALID UNTIL 'yesterday'`, `ALTER ROLE %[1]s VALID UNTIL 'infinity'`},
		{"the role may not log in", `ALTER ROLE %[1]s NOLOGIN`, `ALTER ROLE %[1]s LOGIN`},
		{"the role has too many connections", `ALTER ROLE %[1]s CONNECTION LIMIT 0`, `ALTER ROLE %[1]s CONNECTION LIMIT -1`},
		{"the role is called otherwise", `ALTER ROLE %[1]s RENAME TO %[1]s_`, `ALTER ROLE %[1]s_ RENAME TO %[1]s; ALTER ROLE %[1]s PASSWORD 'secret'`},
		{"the role may not connect", `REVOKE CONNECT ON DATABASE %[1]s FROM %[1]s`, `GRANT CONNECT ON DATABASE %[1]s TO %[1]s`},
		{"the database takes no connections", `ALTER DATABASE %[1]s ALLOW_CONNECTIONS false`, `ALTER DATABASE %[1]s ALLOW_CONNECTIONS true`},
		{"the database has too many connections", `ALTER DATABASE %[1]s CONNECTION LIMIT 0`, `ALTER DATABASE %[1]s CONNECTION LIMIT -1`},
		{"the database is not there", `ALTER DATABASE %[1]s RENAME TO %[1]s_`, `ALTER DATABASE %[1]s_ RENAME TO %[1]s`},
		{"the database can only be read", `ALTER DATABASE %[1]s SET default_transaction_read_only = on`, `ALTER DATABASE %[1]s RESET default_transaction_read_only`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := testkit.DB(t)
			name := db.Config().ConnConfig.Database
			write := func() error {
				return db.Tx(t.Context(), func(tx *postgres.Tx) error {
					_, err := tx.Exec(t.Context(), `CREATE TABLE IF NOT EXISTS kept (n int)`)
					return err
				})
			}
			if err := write(); err != nil {
				t.Fatal(err)
			}
			administer := func(statement string) {
				testkit.AsAdministrator(t, fmt.Sprintf(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'`, name))
				testkit.AsAdministrator(t, fmt.Sprintf(statement, name))
			}
			administer(c.do)
			db.Reset()
			err := write()
			if !postgres.Unavailable(err) || postgres.NeverWorks(err) || postgres.Duplicate(err) {
				t.Errorf("%v: unavailable %t, never works %t, duplicate %t", err, postgres.Unavailable(err), postgres.NeverWorks(err), postgres.Duplicate(err))
			}
			administer(c.undo)
			testkit.Until(t, "it works again by itself", func() bool { return write() == nil })
		})
	}
}

// Changes inside of a database do not end its connections.
func TestWhenTablesOrRightsAreMissingStatementsAreNotBlamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, do, undo string }{
		{"a right to a table", `REVOKE ALL ON kept FROM CURRENT_USER`, `GRANT ALL ON kept TO CURRENT_USER`},
		{"a right to a column", `REVOKE ALL ON kept FROM CURRENT_USER; GRANT SELECT ON kept TO CURRENT_USER`, `GRANT ALL ON kept TO CURRENT_USER`},
		{"the right to the schema", `REVOKE ALL ON SCHEMA public FROM pg_database_owner, PUBLIC`, `GRANT ALL ON SCHEMA public TO pg_database_owner`},
		{"the schema", `ALTER SCHEMA public RENAME TO private`, `ALTER SCHEMA private RENAME TO public`},
		{"the table", `ALTER TABLE kept RENAME TO kept_`, `ALTER TABLE kept_ RENAME TO kept`},
		{"a column", `ALTER TABLE kept RENAME n TO m`, `ALTER TABLE kept RENAME m TO n`},
		{"a function", `ALTER FUNCTION twice(int) RENAME TO thrice`, `ALTER FUNCTION thrice(int) RENAME TO twice`},
		{"a type", `ALTER TYPE number RENAME TO figure`, `ALTER TYPE figure RENAME TO number`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := testkit.DB(t)
			operator := func(statements string) {
				if _, err := db.Exec(t.Context(), statements, pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatal(err)
				}
			}
			write := func() error {
				return db.Tx(t.Context(), func(tx *postgres.Tx) error {
					_, err := tx.Exec(t.Context(), `INSERT INTO kept (n) VALUES (twice(2)::number)`)
					return err
				})
			}
			operator(`
				CREATE DOMAIN number AS int;
				CREATE FUNCTION twice(int) RETURNS int LANGUAGE SQL AS 'SELECT 2 * $1';
				CREATE TABLE kept (n int)`)
			operator(c.do)
			if err := write(); !postgres.Unavailable(err) || postgres.NeverWorks(err) {
				t.Errorf("%v: unavailable %t, never works %t", err, postgres.Unavailable(err), postgres.NeverWorks(err))
			}
			operator(c.undo)
			if err := write(); err != nil {
				t.Error(err)
			}
		})
	}
}
