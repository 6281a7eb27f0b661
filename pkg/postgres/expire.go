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

// Expire returns a part of a program that deletes the rows of table whose column is older than keep, now and then until ctx
// ends. Replicas may run it at the same time. The column needs a B-tree index, and the table must not be partitioned.
func (db *DB) Expire(log *slog.Logger, table, column string, keep time.Duration) func(context.Context) error {
	statement := expireStatement(table, column)
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

// expireStatement deletes the oldest rows by their place in the table (ctid, which is unique only within a partition).
//
// Its cost depends only on how many rows it deletes, not on the table or on what the planner believes of it. The oldest
// come first, so the index is read from its beginning; and rows by an array of places are always read one place after
// another. Without the order the planner reads the whole table when it takes many rows to be old. A BRIN index would be
// small but is of no use: it keeps the age of the oldest row that a part of the table ever had. Once each place has been
// used a second time all parts look old, and the whole table is read every time to delete nothing.
func expireStatement(table, column string) string {
	return fmt.Sprintf(`
		DELETE FROM %[1]s
		WHERE ctid = ANY (ARRAY(
			SELECT ctid
			FROM %[1]s
			WHERE %[2]s < now() - $1::interval
			ORDER BY %[2]s
			LIMIT $2
			FOR UPDATE SKIP LOCKED))`, pgx.Identifier{table}.Sanitize(), pgx.Identifier{column}.Sanitize())
}
