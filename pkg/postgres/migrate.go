package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/pkg/wait"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations is one owner's part of the schema: numbered SQL files that only go forward. The previous release must still
// run on the new schema, so that a rolling upgrade needs no downtime: add, backfill, switch, drop, each in a release of its
// own.
type Migrations struct {
	Name  string // the versions are kept in the table "schema_<name>"
	Files fs.FS  // *.sql at its root
}

const (
	// migrationLockWait is how long a migration waits for a lock. All later statements on that table wait behind it, also
	// those that could run beside the one that holds the lock. So it gives up before requests do, lets them pass, and tries
	// again.
	migrationLockWait = "2s"
	migrationPause    = 2 * time.Second // after the first attempt; doubled after each
	migrationPauseMax = 30 * time.Second

	// When replicas start together, one migrates and the others look again each second, for five minutes.
	turnEvery    = 1 // seconds
	turnAttempts = 300
)

// Migrate brings every part of the schema up to date, in order. Replicas that start together do so one after the other, by
// an advisory lock: the first applies the migrations, the others wait and find them done.
//
// A migration waits two seconds for a lock; then it is rolled back and tried again after a pause, until ctx ends. The log
// says what is in its way. A migration without a transaction waits as long as it takes: nothing waits behind CREATE INDEX
// CONCURRENTLY, and a second attempt would have to begin anew.
func Migrate(ctx context.Context, db *DB, log *slog.Logger, parts ...Migrations) error {
	pool := stdlib.OpenDBFromPool(db.Pool)
	defer pool.Close() //nolint:errcheck // closes the wrapper only
	defer db.Reset()   // of the connections whose settings were changed
	for _, part := range parts {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(turnEvery, turnAttempts))
		if err != nil {
			return fmt.Errorf("migration lock: %w", err)
		}
		provider, err := goose.NewProvider(goose.DialectPostgres, pool, hasty{part.Files},
			goose.WithTableName("schema_"+part.Name), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return fmt.Errorf("migrations of %s: %w", part.Name, err)
		}
		for pauses := (wait.Backoff{First: migrationPause, Most: migrationPauseMax}); ; {
			applied, err := provider.Up(ctx)
			file := ""
			if partly, ok := errors.AsType[*goose.PartialError](err); ok {
				applied, file = partly.Applied, partly.Failed.Source.Path
			}
			for _, m := range applied {
				log.InfoContext(ctx, "migrated", "part", part.Name, "file", m.Source.Path, "took", m.Duration)
			}
			if err == nil {
				break
			}
			if c := code(err); c != lockNotAvailable && c != deadlockDetected {
				return fmt.Errorf("migrate %s: %s: %w", part.Name, file, err)
			}
			pause := pauses.Next()
			log.WarnContext(ctx, "a migration waits for a lock that somebody holds, trying again", "part", part.Name, "file", file,
				"error", err, "in", pause, "oldest_transaction", oldestTransaction(ctx, db))
			if !wait.For(ctx, pause) {
				return fmt.Errorf("migrate %s: %s: %w: %w", part.Name, file, ctx.Err(), err)
			}
		}
	}
	return nil
}

// oldestTransaction describes the oldest transaction in this database, most probably the one that is waited for. Details
// that the role may not see are empty.
func oldestTransaction(ctx context.Context, db *DB) string {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var who string
	err := db.QueryRow(ctx, `
		SELECT format('pid %s of %s (%s), %s for %s s: %s', pid, usename, application_name, coalesce(state, 'state not known'),
		              round(extract(epoch FROM now() - xact_start)), left(query, 100))
		FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'
		ORDER BY xact_start
		LIMIT 1`).Scan(&who)
	if err != nil { // it has ended by now, or only a prepared transaction is there
		return "none that can be seen"
	}
	return who
}

// hasty is a folder of migrations. A migration in a transaction gives up on a lock after migrationLockWait; one without
// waits as long as it takes.
type hasty struct{ fs.FS }

var (
	up            = regexp.MustCompile(`(?im)^\s*-- *\+goose +up\s*$`)
	noTransaction = regexp.MustCompile(`(?im)^\s*-- *\+goose +no +transaction\s*$`)
)

// Open implements fs.FS.
func (h hasty) Open(name string) (fs.File, error) {
	file, err := h.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return file, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	if at := up.FindIndex(text); at != nil {
		wait := "SET LOCAL lock_timeout = '" + migrationLockWait + "'"
		if noTransaction.Match(text) {
			wait = "SET lock_timeout = 0"
		}
		text = slices.Insert(text, at[1], []byte("\n"+wait+";\n")...)
	}
	return migration{bytes.NewReader(text), info}, nil
}

// migration is a file as goose reads it.
type migration struct {
	*bytes.Reader
	info fs.FileInfo
}

func (m migration) Stat() (fs.FileInfo, error) { return m.info, nil }
func (m migration) Close() error               { return nil }

// Sub returns the migrations in folder dir of files, as go:embed leaves them.
func Sub(name string, files fs.FS, dir string) Migrations {
	sub, err := fs.Sub(files, dir)
	if err != nil { // only when dir is not a valid path, which is a mistake in the code
		panic(err)
	}
	return Migrations{name, sub}
}
