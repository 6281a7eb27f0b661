package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	expireEvery = 10 * time.Minute
	expireChunk = 5000 // rows a statement: short locks, small transactions
)

// Expire returns a part that deletes the rows of table whose column is older than keep, now and then until ctx ends.
// Replicas may do it side by side.
func (db *DB) Expire(log *slog.Logger, table, column string, keep time.Duration) func(context.Context) error {
	statement := fmt.Sprintf(`
		DELETE FROM %[1]s
		WHERE ctid IN (
			SELECT ctid
			FROM %[1]s
			WHERE %[2]s < now() - $1::interval
			LIMIT $2
			FOR UPDATE SKIP LOCKED)`, pgx.Identifier{table}.Sanitize(), pgx.Identifier{column}.Sanitize())
	return func(ctx context.Context) error {
		for {
			for {
				done, err := db.Exec(ctx, statement, keep, expireChunk)
				if err != nil {
					if ctx.Err() == nil {
						log.WarnContext(ctx, "cannot expire rows", "table", table, "error", err)
					}
					break
				}
				if done.RowsAffected() < expireChunk {
					break
				}
			}
			select {
			case <-time.After(expireEvery):
			case <-ctx.Done():
				return nil
			}
		}
	}
}
