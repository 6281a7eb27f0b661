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

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations is one owner's part of the schema: numbered SQL files that only ever go forward. The release before must
// still run on the schema after, so that a rolling upgrade needs no downtime: add, backfill, switch, drop, each in a
// release of its own.
type Migrations struct {
	Name  string // the versions are kept in the table "schema_<name>"
	Files fs.FS  // *.sql at its root
}

const (
	// A statement that waits for a lock has everybody wait behind it who comes after, also those who could go on beside what it
	// waits for. So it gives up before requests do, lets them pass, and comes again.
	migrationLockWait = "2s"
	migrationPause    = 2 * time.Second // after the first attempt; doubled after each
	migrationPauseMax = 30 * time.Second

	// Replicas that start together: one migrates, the others look again each second, for five minutes.
	turnEvery    = 1 // seconds
	turnAttempts = 300
)

// Migrate brings every part of the schema up to date, in order. Replicas that start together take turns by an advisory
// lock: one applies, the others wait and find it done.
//
// A migration that needs a lock which somebody holds waits for two seconds and is rolled back, and is tried again after a pause,
// until ctx ends; the log says who is in its way. A migration without a transaction waits as long as it takes: CREATE INDEX
// CONCURRENTLY has nobody wait behind it, and would have to begin anew.
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
		for pause := migrationPause; ; pause = min(2*pause, migrationPauseMax) {
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
			log.WarnContext(ctx, "a migration waits for a lock that somebody holds, trying again", "part", part.Name, "file", file,
				"error", err, "in", pause, "oldest_transaction", oldestTransaction(ctx, db))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return fmt.Errorf("migrate %s: %s: %w: %w", part.Name, file, ctx.Err(), err)
			}
		}
	}
	return nil
}

// oldestTransaction tells about the oldest one in this database, which most probably is the one that is waited for. What the role
// may not see of others is empty.
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

// hasty is a folder of migrations, each of which gives up on a lock after migrationLockWait if it runs in a transaction, and waits
// as long as it takes if it does not.
type hasty struct{ fs.FS }

var (
	up            = regexp.MustCompile(`(?im)^\s*-- *\+goose +up\s*$`)
	noTransaction = regexp.MustCompile(`(?im)^\s*-- *\+goose +no +transaction\s*$`)
)

// Open is that of fs.FS.
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
	if err != nil { // only for a path that no embed directive could have made
		panic(err)
	}
	return Migrations{name, sub}
}
