package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"

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

// Migrate brings every part of the schema up to date, in order. Replicas that start together take turns by an advisory
// lock: one applies, the others wait and find it done.
func Migrate(ctx context.Context, db *DB, log *slog.Logger, parts ...Migrations) error {
	pool := stdlib.OpenDBFromPool(db.Pool)
	defer pool.Close() //nolint:errcheck // closes the wrapper only
	for _, part := range parts {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("migration lock: %w", err)
		}
		provider, err := goose.NewProvider(goose.DialectPostgres, pool, part.Files,
			goose.WithTableName("schema_"+part.Name), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return fmt.Errorf("migrations of %s: %w", part.Name, err)
		}
		applied, err := provider.Up(ctx)
		if err != nil {
			return fmt.Errorf("migrate %s: %w", part.Name, err)
		}
		for _, m := range applied {
			log.InfoContext(ctx, "migrated", "part", part.Name, "file", m.Source.Path, "took", m.Duration)
		}
	}
	return nil
}

// Sub returns the migrations in folder dir of files, as go:embed leaves them.
func Sub(name string, files fs.FS, dir string) Migrations {
	sub, err := fs.Sub(files, dir)
	if err != nil { // only for a path that no embed directive could have made
		panic(err)
	}
	return Migrations{name, sub}
}
