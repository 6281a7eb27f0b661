package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"github.com/jackc/pgx/v5"
)

// counted returns a database that is reached through a proxy, with one connection, and how often the server has said since
// then that it is ready for a query: once for each round trip.
func counted(t *testing.T) (db *postgres.DB, trips *atomic.Int32) {
	t.Helper()
	direct, err := url.Parse(testkit.DatabaseURL(t))
	if err != nil {
		t.Fatal(err)
	}
	server := direct.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	trips = new(atomic.Int32)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(behind, client); _ = behind.Close() }()
			go func() { _ = passOn(client, behind, trips); _ = client.Close() }()
		}
	}()
	direct.Host = listener.Addr().String()
	query := direct.Query()
	query.Set("pool_max_conns", "1")
	direct.RawQuery = query.Encode()
	if db, err = postgres.Open(t.Context(), direct.String(), "test", testkit.Log(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db, trips
}

// passOn passes on what a server says, and counts how often it is ready for a query.
func passOn(to io.Writer, from io.Reader, ready *atomic.Int32) error {
	var head [5]byte // the type, and the length without it
	for {
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return err
		}
		if head[0] == 'Z' {
			ready.Add(1)
		}
		if _, err := to.Write(head[:]); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, int64(binary.BigEndian.Uint32(head[1:]))-4); err != nil {
			return err
		}
	}
}

// letters returns a database with a table of letters; a row is "a".
func letters(t *testing.T, db *postgres.DB) *postgres.DB {
	t.Helper()
	_, err := db.Exec(t.Context(), `CREATE TABLE letters (id text PRIMARY KEY CHECK (id <> '')); INSERT INTO letters VALUES ('a')`)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func stored(t *testing.T, db *postgres.DB) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT id FROM letters ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const insert = `INSERT INTO letters (id) VALUES ($1)`

func TestATransactionThatReadsOnceAndWritesOnceMakesTwoRoundTrips(t *testing.T) {
	t.Parallel()
	db, trips := counted(t)
	letters(t, db)
	run := func(id string, queries int) {
		err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
			read := 0
			for range queries {
				postgres.Rows(tx, pgx.RowTo[string], func(string) { read++ }, `SELECT id FROM letters WHERE id = $1 FOR UPDATE`, "a")
			}
			if err := tx.Flush(t.Context()); err != nil || read != queries {
				t.Errorf("%d rows of %d queries are read, %v", read, queries, err)
			}
			for range queries {
				tx.Queue(`UPDATE letters SET id = id WHERE id = $1`, id)
			}
			tx.Queue(insert, id)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	run("b", 1) // the statements are prepared
	for _, queries := range []int{1, 20} {
		before := trips.Load()
		run(string(rune('b'+queries)), queries)
		if n := trips.Load() - before; n != 2 {
			t.Errorf("%d round trips with %d statements each way, want 2", n, queries)
		}
	}
	write := func(id string) error {
		return db.Tx(t.Context(), func(tx *postgres.Tx) error {
			tx.Queue(insert, id)
			return nil
		})
	}
	before := trips.Load()
	if err := write("x"); err != nil || trips.Load()-before != 1 {
		t.Errorf("%d round trips to write something, %v, want 1", trips.Load()-before, err)
	}
	if got := stored(t, db); !slices.Equal(got, []string{"a", "b", "c", "v", "x"}) {
		t.Errorf("stored is %v", got)
	}
}

func TestAfterAnErrorNothingOfATransactionHasHappened(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	scan := func(pgx.CollectableRow) (string, error) { return "", broken }
	for name, c := range map[string]struct {
		fn   func(ctx context.Context, tx *postgres.Tx) error
		want error // nil: any
	}{
		"of the function": {func(context.Context, *postgres.Tx) error { return broken }, broken},
		"of the function after a round trip": {func(ctx context.Context, tx *postgres.Tx) error {
			return errors.Join(tx.Flush(ctx), broken)
		}, broken},
		"of a statement that is queued": {func(_ context.Context, tx *postgres.Tx) error {
			tx.Queue(insert, "")
			tx.Queue(insert, "c")
			return nil
		}, nil},
		"of a statement that is queued, after a round trip": {func(ctx context.Context, tx *postgres.Tx) error {
			err := tx.Flush(ctx)
			tx.Queue(insert, "c")
			tx.Queue(insert, "a")
			return err
		}, nil},
		"of a statement that cannot be prepared": {func(_ context.Context, tx *postgres.Tx) error {
			tx.Queue(`SELECT nonsense`)
			return nil
		}, nil},
		"of an argument that cannot be sent": {func(_ context.Context, tx *postgres.Tx) error {
			tx.Queue(insert, make(chan int))
			return nil
		}, nil},
		"of what reads a row": {func(ctx context.Context, tx *postgres.Tx) error {
			postgres.Rows(tx, scan, func(string) {}, `SELECT id FROM letters`)
			return tx.Flush(ctx)
		}, broken},
		"of what reads a row when all else is done": {func(_ context.Context, tx *postgres.Tx) error {
			postgres.Rows(tx, scan, func(string) {}, `SELECT id FROM letters`)
			return nil
		}, broken},
		"that the function has passed over": {func(ctx context.Context, tx *postgres.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT 1/0`); err == nil {
				return errors.New("it is no error")
			}
			return nil
		}, pgx.ErrTxCommitRollback},
		"that a query has passed over": {func(ctx context.Context, tx *postgres.Tx) error {
			rows, err := tx.Query(ctx, `SELECT 1/0`)
			if err == nil {
				rows.Close()
			}
			return nil
		}, pgx.ErrTxCommitRollback},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := letters(t, testkit.DB(t))
			committed, rolledBack := 0, 0
			err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
				tx.OnCommit(func() { committed++ })
				tx.OnRollback(func() { rolledBack++ })
				tx.Queue(insert, "b")
				return c.fn(t.Context(), tx)
			})
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if committed != 0 || rolledBack != 1 {
				t.Errorf("told %d times that it is committed and %d times that it is not", committed, rolledBack)
			}
			if got := stored(t, db); !slices.Equal(got, []string{"a"}) {
				t.Errorf("stored is %v", got)
			}
			for _, conn := range db.AcquireAllIdle(t.Context()) {
				if status := conn.Conn().PgConn().TxStatus(); status != 'I' {
					t.Errorf("a connection was given back in the middle of a transaction: %c", status)
				}
				conn.Release()
			}
		})
	}
}

// A transaction whose function has panicked, or that was forgotten, is no longer open in a connection that others get.
func TestAConnectionIsGivenBackOnlyWithoutATransaction(t *testing.T) {
	t.Parallel()
	db, _ := counted(t)
	letters(t, db)
	for name, fn := range map[string]func(tx *postgres.Tx) error{
		"a panic": func(*postgres.Tx) error { panic("broken") },
		"rows that are not closed": func(tx *postgres.Tx) error {
			_, err := tx.Query(t.Context(), `SELECT * FROM generate_series(1, 100000)`)
			return err
		},
	} {
		begun, rolledBack := 0, 0
		func() {
			defer func() { _ = recover() }()
			if err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
				begun++
				tx.OnRollback(func() { rolledBack++ })
				if _, err := tx.Exec(t.Context(), insert, "b"); err != nil {
					return err
				}
				return fn(tx)
			}); err == nil {
				t.Errorf("%s: no error", name)
			}
		}()
		if got := stored(t, db); !slices.Equal(got, []string{"a"}) || rolledBack != begun {
			t.Errorf("after %s it is %v, told %d of %d times", name, got, rolledBack, begun)
		}
	}
}

func TestATransactionTellsWhenItIsCommitted(t *testing.T) {
	t.Parallel()
	db := letters(t, testkit.DB(t))
	var told []string
	db.OnCommit(func() { told = append(told, "the database") })
	err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
		tx.OnCommit(func() {
			if got := stored(t, db); !slices.Equal(got, []string{"a", "b"}) { // as others see it
				t.Errorf("stored is %v", got)
			}
			told = append(told, "first")
		})
		tx.OnCommit(func() { told = append(told, "second") })
		tx.OnRollback(func() { told = append(told, "not committed") })
		tx.Queue(insert, "b")
		return nil
	})
	if err != nil || !slices.Equal(told, []string{"first", "second", "the database"}) {
		t.Errorf("told %q, %v", told, err)
	}
}

// Each attempt learns its own end, and only the last one is committed.
func TestAnAttemptThatIsMadeAgainWasRolledBack(t *testing.T) {
	t.Parallel()
	db := letters(t, testkit.DB(t))
	attempts, committed, rolledBack := 0, 0, 0
	run := func(until int) error {
		attempts, committed, rolledBack = 0, 0, 0
		return db.Tx(t.Context(), func(tx *postgres.Tx) error {
			tx.OnCommit(func() { committed++ })
			tx.OnRollback(func() { rolledBack++ })
			if attempts++; attempts < until {
				tx.Queue(raise("serialization_failure"))
			}
			return nil
		})
	}
	if err := run(3); err != nil || attempts != 3 || committed != 1 || rolledBack != 2 {
		t.Errorf("%d attempts, %d committed, %d rolled back, %v", attempts, committed, rolledBack, err)
	}
	if err := run(100); err == nil || attempts != 3 || committed != 0 || rolledBack != 3 {
		t.Errorf("%d attempts, %d committed, %d rolled back, %v: it has an end", attempts, committed, rolledBack, err)
	}
}

func TestAFailedTryIsUndoneAndTheTransactionGoesOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, fn := range map[string]func(t *testing.T, tx *postgres.Tx) error{
		"before anything was sent": func(_ *testing.T, tx *postgres.Tx) error {
			tx.Queue(insert, "x")
			return broken
		},
		"after something was sent": func(t *testing.T, tx *postgres.Tx) error {
			if _, err := tx.Exec(t.Context(), insert, "x"); err != nil {
				t.Error(err)
			}
			tx.Queue(insert, "y")
			return broken
		},
		"by a statement": func(t *testing.T, tx *postgres.Tx) error {
			tx.Queue(insert, "x")
			_, err := tx.Exec(t.Context(), insert, "a")
			return err
		},
		"by a statement that is queued": func(_ *testing.T, tx *postgres.Tx) error {
			tx.Queue(insert, "x")
			tx.Queue(insert, "a")
			return nil
		},
		"within what is tried": func(t *testing.T, tx *postgres.Tx) error {
			if _, err := tx.Exec(t.Context(), insert, "x"); err != nil {
				t.Error(err)
			}
			inner := tx.Try(t.Context(), func() error {
				_, err := tx.Exec(t.Context(), insert, "a")
				return err
			})
			if !postgres.Duplicate(inner) {
				t.Error(inner)
			}
			return broken
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := letters(t, testkit.DB(t))
			var told []string
			err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
				tx.OnCommit(func() { told = append(told, "committed") })
				tx.Queue(insert, "b")
				err := tx.Try(t.Context(), func() error {
					tx.OnCommit(func() { told = append(told, "committed what was undone") })
					tx.OnRollback(func() { told = append(told, "undone") })
					return fn(t, tx)
				})
				if !errors.Is(err, broken) && !postgres.Duplicate(err) {
					t.Errorf("tried in vain: %v", err)
				}
				tx.Queue(insert, "c")
				if err := tx.Try(t.Context(), func() error { tx.Queue(insert, "d"); return nil }); err != nil {
					return err
				}
				tx.Queue(insert, "e")
				return nil
			})
			if got := stored(t, db); err != nil || !slices.Equal(got, []string{"a", "b", "c", "d", "e"}) {
				t.Errorf("stored is %v, %v", got, err)
			}
			if !slices.Equal(told, []string{"undone", "committed"}) {
				t.Errorf("told %q", told)
			}
		})
	}
}

func TestAFailedTryReleasesItsLocks(t *testing.T) {
	t.Parallel()
	db := letters(t, testkit.DB(t))
	if _, err := db.Exec(t.Context(), insert, "b"); err != nil {
		t.Fatal(err)
	}
	free := func(id string) bool {
		var n int
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM (SELECT FROM letters WHERE id = $1 FOR UPDATE SKIP LOCKED) AS free`, id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
	const lock = `SELECT FROM letters WHERE id = $1 FOR UPDATE`
	err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.Exec(t.Context(), lock, "a"); err != nil {
			return err
		}
		err := tx.Try(t.Context(), func() error {
			if _, err := tx.Exec(t.Context(), lock, "b"); err != nil {
				return err
			}
			if free("b") {
				t.Error("it is not locked")
			}
			return errors.New("not today")
		})
		if err == nil || !free("b") || free("a") {
			t.Errorf("after %v: b is free: %t, a is free: %t", err, free("b"), free("a"))
		}
		return nil
	})
	if err != nil || !free("a") {
		t.Error(err)
	}
}

func TestACallerThatLeavesEndsItsTransaction(t *testing.T) {
	t.Parallel()
	db, _ := counted(t)
	letters(t, db)
	ctx, leave := context.WithCancel(t.Context())
	rolledBack := 0
	err := db.Tx(ctx, func(tx *postgres.Tx) error {
		tx.OnRollback(func() { rolledBack++ })
		if _, err := tx.Exec(ctx, insert, "b"); err != nil {
			return err
		}
		time.AfterFunc(50*time.Millisecond, leave)
		_, err := tx.Exec(ctx, `SELECT pg_sleep(60)`)
		return err
	})
	if !errors.Is(err, context.Canceled) || rolledBack != 1 {
		t.Errorf("%v, told %d times", err, rolledBack)
	}
	if got := stored(t, db); !slices.Equal(got, []string{"a"}) {
		t.Errorf("stored is %v", got)
	}
	if err := db.Tx(ctx, func(*postgres.Tx) error { t.Error("it has begun"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("begun by somebody who has left: %v", err)
	}
}
