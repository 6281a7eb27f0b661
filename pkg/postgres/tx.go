package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/wait"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Tx is a transaction that makes few round trips. A queued statement is sent together with the others, when an answer is
// needed or the transaction ends. BEGIN goes with the first of them. COMMIT goes with the last, unless a function has to be
// called with the rows of the last. So a transaction that reads once and writes once makes two round trips, whatever the
// number of its statements. It is for one goroutine.
type Tx struct {
	conn       *pgxpool.Conn
	queue      pgx.Batch
	flushed    int // how often
	onCommit   []func()
	onRollback []func()
}

const (
	txAttempts = 3
	yieldMost  = 100 * time.Millisecond // most time before the second attempt, after a deadlock; twice as much before the third
)

// Tx runs fn in a transaction, sends what fn has left in the queue, and commits. It runs fn again, up to three times in
// all, when the server gave the transaction up (serialization failure, deadlock, or this process was frozen meanwhile),
// when the server refuses it as it is no longer the primary, or when the connection turns out to be dead before anything
// was sent. So fn must do nothing but talk to the database, and must set its results anew each time. After an error nothing
// of it has happened, with one exception: when the connection breaks during the commit, it may have committed.
func (db *DB) Tx(ctx context.Context, fn func(tx *Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.once(ctx, fn)
		if err == nil || attempt == txAttempts || !again(err) {
			return err
		}
		if c := code(err); c == deadlockDetected || c == serializationFailure { // let the other transaction come first this time
			if !wait.For(ctx, rand.N(time.Duration(attempt)*yieldMost)) {
				return err
			}
		}
	}
}

func (db *DB) once(ctx context.Context, fn func(tx *Tx) error) error {
	conn, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // this closes a connection whose transaction is still open
	tx := &Tx{conn: conn}
	tx.queue.Queue("BEGIN")
	committed := false
	defer func() {
		if !committed { // or fn has panicked
			call(tx.onRollback)
		}
	}()
	if err := fn(tx); err != nil {
		tx.rollback()
		return err
	}
	if tx.listens() { // reading the rows can fail, and COMMIT would have been sent by then
		if err := tx.Flush(ctx); err != nil {
			tx.rollback()
			return err
		}
	}
	failpoint.At("postgres.committing")
	tx.queue.Queue("COMMIT").Exec(func(done pgconn.CommandTag) error {
		if done.String() != "COMMIT" { // fn has ignored an error
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	if err := tx.Flush(ctx); err != nil {
		tx.rollback()
		return err
	}
	committed = true
	failpoint.At("postgres.committed")
	call(tx.onCommit)
	call(db.onCommit)
	return nil
}

func call(all []func()) {
	for _, f := range all {
		f()
	}
}

// rollback ends a transaction that has begun. If that fails the connection is closed, and the server ends it.
func (tx *Tx) rollback() {
	if tx.conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	_, _ = tx.conn.Exec(ctx, "ROLLBACK")
}

// Queue adds a statement to those that are sent next. Give the function that reads its rows to the QueuedQuery that it
// returns; it is called during Flush.
func (tx *Tx) Queue(sql string, args ...any) *pgx.QueuedQuery { return tx.queue.Queue(sql, args...) }

// Flush sends the queued statements in one round trip. It returns the first error, of a statement or of a function that
// reads its rows; after an error the transaction can only be rolled back.
func (tx *Tx) Flush(ctx context.Context) error {
	if tx.queue.Len() == 0 {
		return nil
	}
	batch := tx.queue
	tx.queue = pgx.Batch{}
	tx.flushed++
	return tx.conn.SendBatch(ctx, &batch).Close()
}

// listens reports whether a function has to be called with the rows of a statement in the queue.
func (tx *Tx) listens() bool {
	return slices.ContainsFunc(tx.queue.QueuedQueries, func(q *pgx.QueuedQuery) bool { return q.Fn != nil })
}

// Query sends the queued statements and, after them, a query.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	return tx.conn.Query(ctx, sql, args...)
}

// Exec sends the queued statements and, after them, a statement.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	tx.Queue(sql, args...).Exec(func(done pgconn.CommandTag) error {
		tag = done
		return nil
	})
	return tag, tx.Flush(ctx)
}

// Try runs fn in a savepoint. When fn or a statement that it has left in the queue fails, its work is undone, its locks are
// released, what it has registered for the commit is forgotten, and the transaction goes on.
func (tx *Tx) Try(ctx context.Context, fn func() error) error {
	queued, flushed, commits, rollbacks := tx.queue.Len(), tx.flushed, len(tx.onCommit), len(tx.onRollback)
	tx.Queue("SAVEPOINT attempt")
	err := fn()
	if err == nil {
		idle := tx.flushed > flushed && tx.queue.Len() == 0
		tx.Queue("RELEASE SAVEPOINT attempt")
		if idle {
			return nil
		}
		if err = tx.Flush(ctx); err == nil {
			return nil
		}
	}
	forgotten := tx.onRollback[rollbacks:]
	tx.onCommit, tx.onRollback = tx.onCommit[:commits], tx.onRollback[:rollbacks]
	call(forgotten)
	if tx.flushed == flushed { // nothing of it was sent
		tx.queue.QueuedQueries = tx.queue.QueuedQueries[:queued]
		return err
	}
	tx.queue = pgx.Batch{}
	undone := tx.conn.Conn().PgConn().Exec(ctx, "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt").Close() // as a prepared statement it would fail now
	if undone != nil {
		return fmt.Errorf("%w; and then: %w", err, undone)
	}
	return err
}

// OnCommit registers a function that is called once this transaction is committed. It must not wait.
func (tx *Tx) OnCommit(f func()) { tx.onCommit = append(tx.onCommit, f) }

// OnRollback registers a function that is called when this transaction is not committed, or when it is not known whether it
// is.
func (tx *Tx) OnRollback(f func()) { tx.onRollback = append(tx.onRollback, f) }

// Rows queues a query. During Flush each of its rows is read by scan and given to row.
func Rows[R any](tx *Tx, scan pgx.RowToFunc[R], row func(R), sql string, args ...any) {
	tx.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scan)
		for _, r := range all {
			row(r)
		}
		return err
	})
}

// Querier is a DB or a Tx.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Read returns the rows of a query, outside of a unit of work.
func Read[R any](ctx context.Context, q Querier, scan pgx.RowToFunc[R], sql string, args ...any) ([]R, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// ReadOne returns the only row of a query. The error is pgx.ErrNoRows when there is none.
func ReadOne[R any](ctx context.Context, q Querier, scan pgx.RowToFunc[R], sql string, args ...any) (row R, err error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return row, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// Planned runs a statement in a transaction of its own and returns its rows. Other statements have a plan for any
// arguments, which is kept for a while; this one is planned for its own arguments. It is for statements that take a few of
// many rows with a limit. When PostgreSQL does not know the limit it assumes a tenth of the rows, and prefers to read the
// whole table.
func Planned[R any](ctx context.Context, db *DB, scan pgx.RowToFunc[R], sql string, args ...any) (all []R, err error) {
	err = db.Tx(ctx, func(tx *Tx) error {
		all = nil
		tx.Queue(`SET LOCAL plan_cache_mode = force_custom_plan`)
		Rows(tx, scan, func(r R) { all = append(all, r) }, sql, args...)
		return nil
	})
	return all, err
}
