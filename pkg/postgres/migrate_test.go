package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

func schema(files map[string]string) postgres.Migrations {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return postgres.Migrations{Name: "test", Files: all}
}

const accounts = "-- +goose Up\nCREATE TABLE accounts (id int PRIMARY KEY); INSERT INTO accounts VALUES (1);"

// hold opens a transaction that has written to the accounts, as a handler does, or a person who has forgotten it.
func hold(t *testing.T, db *postgres.DB) (end func()) {
	t.Helper()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE accounts SET id = id WHERE id = 1`); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = tx.Rollback(context.Background()) }
	t.Cleanup(end)
	return end
}

func ask(t *testing.T, db *postgres.DB, query string) (yes bool) {
	t.Helper()
	if err := db.QueryRow(t.Context(), query).Scan(&yes); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return yes
}

// All statements that come after one that waits for a lock wait for it, too.
func TestAMigrationThatNeedsALockLetsOthersPassUntilItIsFree(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, schema(map[string]string{"1_accounts.sql": accounts}))
	end := hold(t, db)
	log, done := &lines{}, make(chan error, 1)
	go func() {
		done <- postgres.Migrate(t.Context(), db, slog.New(slog.NewTextHandler(log, nil)), schema(map[string]string{
			"1_accounts.sql": accounts,
			"2_note.sql":     "-- +goose Up\nCREATE TABLE notes (id int);",
			"3_name.sql":     "-- +goose Up\nALTER TABLE accounts ADD COLUMN name text NOT NULL DEFAULT '';",
		}))
	}()
	testkit.Until(t, "it has given up once", func() bool { return strings.Contains(log.String(), "trying again") })
	said := log.String()
	for _, want := range []string{"3_name.sql", "55P03", "idle in transaction", "UPDATE accounts SET id", "file=2_note.sql"} {
		if !strings.Contains(said, want) {
			t.Errorf("it says nothing of %q: %s", want, said)
		}
	}
	if _, err := db.Exec(t.Context(), `INSERT INTO accounts VALUES (2)`); err != nil { // the lock is still held
		t.Error(err)
	}
	select {
	case err := <-done:
		t.Fatalf("it is over, %v, while the lock is held", err)
	default:
	}
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !ask(t, db, `SELECT bool_and(name = '') FROM accounts`) {
		t.Error("there are no names")
	}
	if said := log.String(); strings.Count(said, "msg=migrated part=test file=3_name.sql") != 1 || strings.Count(said, "msg=migrated part=test file=2_note.sql") != 1 {
		t.Errorf("each was applied once: %s", said)
	}
}

func TestAMigrationThatWaitsEndsWithItsProgram(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, schema(map[string]string{"1_accounts.sql": accounts}))
	hold(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	err := postgres.Migrate(ctx, db, slog.New(slog.NewTextHandler(&firstLine{said: cancel}, nil)), schema(map[string]string{
		"1_accounts.sql": accounts,
		"2_gone.sql":     "-- +goose Up\nDROP TABLE accounts;",
	}))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "55P03") {
		t.Errorf("%v, want that it was told to stop, and what it waited for", err)
	}
}

// An index that is made concurrently has to wait for all transactions, and nothing waits behind it.
func TestAnIndexThatIsMadeConcurrentlyWaitsAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, schema(map[string]string{"1_accounts.sql": accounts}))
	end := hold(t, db)
	log, done := &lines{}, make(chan error, 1)
	go func() {
		done <- postgres.Migrate(t.Context(), db, slog.New(slog.NewTextHandler(log, nil)), schema(map[string]string{
			"1_accounts.sql": accounts,
			"2_index.sql":    "-- +goose NO TRANSACTION\n-- +goose Up\nDROP INDEX CONCURRENTLY IF EXISTS by_id;\nCREATE INDEX CONCURRENTLY by_id ON accounts (id);",
		}))
	}()
	testkit.Until(t, "it waits for longer than one that runs in a transaction", func() bool {
		return ask(t, db, `
			SELECT EXISTS (
				SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%CREATE INDEX CONCURRENTLY by_id%'
				AND now() - query_start > interval '3 seconds')`)
	})
	if _, err := db.Exec(t.Context(), `INSERT INTO accounts VALUES (2)`); err != nil {
		t.Error(err)
	}
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !ask(t, db, `SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_id'::regclass`) || strings.Contains(log.String(), "trying again") {
		t.Errorf("the index is not as it should be: %s", log.String())
	}
}

// A migration with a mistake is not tried again.
func TestAMigrationThatIsWrongIsAnError(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t)
	err := postgres.Migrate(t.Context(), db, testkit.Log(t), schema(map[string]string{"1_wrong.sql": "-- +goose Up\nALTER TABLE nowhere ADD COLUMN name text;"}))
	if err == nil || !strings.Contains(err.Error(), "42P01") {
		t.Errorf("%v, want that there is no such table", err)
	}
}
