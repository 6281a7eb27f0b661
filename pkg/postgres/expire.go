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
// Replicas may do it side by side. The column needs a B-tree index, and the table must not be partitioned.
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

// expireStatement deletes the oldest rows, by where they are in the table (ctid, which is unique in one partition only).
//
// It costs as much as there is to delete, whatever is in the table and whatever the planner believes of it: the oldest first
// means the index from its beginning, and an array of places is read by no other plan than one place after another. Without
// the order, the planner reads the whole table when it takes many rows to be old. And a BRIN index is of no use here, small as
// it is: it never forgets how old the oldest row in a part of the table was, so when each place has been filled a second time
// all parts look old, and the whole table is read every time to delete nothing.
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
