package inbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

// These are the statements of the previous release, which runs on the same tables during a roll-out.
const (
	insertBefore = `
		INSERT INTO inbox (id)
		SELECT unnest($1::uuid[])
		ON CONFLICT DO NOTHING
		RETURNING id::text`
	expireBefore = `
		DELETE FROM inbox
		WHERE ctid IN (
			SELECT ctid
			FROM inbox
			WHERE received_at < now() - $1::interval
			LIMIT $2
			FOR UPDATE SKIP LOCKED)`
)

// idOf returns a UUIDv7 of a time.
func idOf(at time.Time) string {
	id := uuid.Must(uuid.NewV7())
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli())<<16)
	copy(id[:6], ms[:6])
	return id.String()
}

// stray returns an id that belongs to no day: a random UUID that begins like one of the year 10000 or later. Without
// that, one in 150 would be an id of the past.
func stray() string {
	id := uuid.New()
	id[0] = 0xff
	return id.String()
}

func exec(t *testing.T, db *postgres.DB, sql string, args ...any) int64 {
	t.Helper()
	done, err := db.Exec(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return done.RowsAffected()
}

// value returns the result of a query, as text.
func value(t *testing.T, db *postgres.DB, sql string, args ...any) string {
	t.Helper()
	var got string
	if err := db.QueryRow(t.Context(), `SELECT coalesce((`+sql+`)::text, '')`, args...).Scan(&got); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

func home(t *testing.T, db *postgres.DB, id string) string {
	t.Helper()
	return value(t, db, `SELECT string_agg(tableoid::regclass::text, ' ') FROM inbox WHERE id::text = $1`, id)
}

func names(t *testing.T, db *postgres.DB) []string {
	t.Helper()
	return strings.Fields(value(t, db, `SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'inbox'::regclass`))
}

// lastWeeks returns an inbox that has run for weeks. It has a partition for each of the last days and for tomorrow (it may
// be too late in the day to make that one), and not the first partition.
func lastWeeks(t *testing.T, days int) (*postgres.DB, *Inbox[nothing], func(ago int) partition) {
	t.Helper()
	db := testkit.DB(t, Migrations())
	exec(t, db, `DROP TABLE inbox_first`)
	today := time.Now().UTC().Truncate(day)
	dayBefore := func(ago int) partition {
		begins := today.Add(time.Duration(-ago) * day)
		return partition{"inbox_" + begins.Format("20060102"), firstID(begins), firstID(begins.Add(day))}
	}
	for ago := -1; ago < days; ago++ {
		err := pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
			_, err := dayBefore(ago).create(t.Context(), tx, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return db, New(db, testkit.Log(t), idle, On(func(context.Context, nothing, messages.StockReleased) error { return nil })), dayBefore
}

func TestDaysToComeHaveAPartitionAndAnIdIsFoundInAnyPartition(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, Migrations())
	handled := 0
	in := New(db, testkit.Log(t), idle, On(func(context.Context, nothing, messages.StockReleased) error {
		handled++
		return nil
	}))
	in.round(t.Context())
	now := time.Now()
	if got := names(t, db); len(got) != 2+ahead-1 { // the first and the default one; tomorrow belongs to the first
		t.Errorf("partitions %q", got)
	}
	for id, want := range map[string]string{
		idOf(now):                              "inbox_first",
		idOf(now.Add(-100 * day)):              "inbox_first",
		idOf(now.Add(3 * day)):                 "inbox_" + now.UTC().Add(3*day).Format("20060102"),
		idOf(now.Add(365 * day)):               "inbox_default",
		"f47ac10b-58cc-4372-a567-0e02b2c3d479": "inbox_default",
	} {
		before := handled
		for range 3 {
			if err := in.Handle(t.Context(), []bus.Delivery{{Message: bus.Message{ID: id, Kind: "inventory.stock_released", Body: []byte(`{"order_id":"o"}`)}}})[0]; err != nil {
				t.Fatal(err)
			}
		}
		if handled != before+1 {
			t.Errorf("%s was handled %d times", id, handled-before)
		}
		if got := home(t, db, id); got != want {
			t.Errorf("%s is in %q, want %s", id, got, want)
		}
	}
	in.round(t.Context())
	if got := names(t, db); len(got) != 2+ahead-1 {
		t.Errorf("another round: partitions %q", got)
	}
}

func TestADayIsDroppedAsAWholeWhenNoneOfItsIdsWasReceivedLately(t *testing.T) {
	t.Parallel()
	db, in, dayBefore := lastWeeks(t, 12)
	at := func(ago int) time.Time { return time.Now().Add(time.Duration(-ago) * day) }
	ids := map[int]string{}
	for ago := range 12 {
		ids[ago] = idOf(at(ago))
		exec(t, db, `INSERT INTO inbox VALUES ($1, $2)`, ids[ago], at(ago))
	}
	replayed := idOf(at(10)) // the message was a dead letter for ten days
	exec(t, db, `INSERT INTO inbox VALUES ($1)`, replayed)
	in.round(t.Context())
	got := names(t, db)
	for ago := range 12 {
		if want := ago <= 7 || ago == 10; slices.Contains(got, dayBefore(ago).name) != want {
			t.Errorf("the partition of %d days ago is there: %t; there are %q", ago, !want, got)
		}
	}
	for _, id := range []string{replayed, ids[7], ids[0]} {
		if exec(t, db, insertBefore, []string{id}) != 0 {
			t.Errorf("%s is not known any more", id)
		}
	}
	// A new message with an id of a day that was dropped is remembered all the same.
	for _, want := range []int64{1, 0} {
		if got := exec(t, db, insertBefore, []string{ids[9]}); got != want {
			t.Errorf("%d rows, want %d", got, want)
		}
	}
	if got := home(t, db, ids[9]); got != "inbox_default" {
		t.Errorf("it is in %q", got)
	}
}

func TestIdsOfNoDayAreDeletedRowByRow(t *testing.T) {
	t.Parallel()
	db, in, _ := lastWeeks(t, 1)
	strange, replayed, old := stray(), idOf(time.Now().Add(-20*day)), stray()
	exec(t, db, `INSERT INTO inbox VALUES ($1), ($2)`, strange, replayed)
	exec(t, db, `INSERT INTO inbox VALUES ($1, now() - interval '8 days')`, old)
	testkit.Go(t, in.Expire)
	testkit.Until(t, "the old one is forgotten", func() bool { return home(t, db, old) == "" })
	if home(t, db, strange) != "inbox_default" || home(t, db, replayed) != "inbox_default" {
		t.Errorf("the others are in %q and %q", home(t, db, strange), home(t, db, replayed))
	}
}

// When a clock is days ahead, those days get no partition, but no message is lost.
func TestADayWhoseIdsCameBeforeItsPartitionGetsNone(t *testing.T) {
	t.Parallel()
	db, in, dayBefore := lastWeeks(t, 1)
	early := idOf(time.Now().Add(3 * day))
	exec(t, db, insertBefore, []string{early})
	in.round(t.Context())
	got := names(t, db)
	if slices.Contains(got, dayBefore(-3).name) || !slices.Contains(got, dayBefore(-2).name) || !slices.Contains(got, dayBefore(-4).name) {
		t.Errorf("partitions %q", got)
	}
	if exec(t, db, insertBefore, []string{early}) != 0 || exec(t, db, insertBefore, []string{idOf(time.Now().Add(3 * day))}) != 1 {
		t.Error("ids of that day are not remembered")
	}
}

func TestReplicasThatKeepThePartitionsAtOnceTakeTurnsAndStopNoWriter(t *testing.T) {
	t.Parallel()
	db, in, dayBefore := lastWeeks(t, 30)
	ctx, cancel := context.WithCancel(t.Context())
	var replicas, writers sync.WaitGroup
	var written atomic.Int64
	for range 3 {
		writers.Go(func() {
			for ctx.Err() == nil {
				id := uuid.Must(uuid.NewV7()).String()
				if err := pgx.BeginFunc(context.Background(), db.Pool, func(tx pgx.Tx) error {
					_, err := tx.Exec(context.Background(), insertBefore, []string{id})
					return err
				}); err != nil {
					t.Error(err)
					return
				}
				written.Add(1)
			}
		})
	}
	whole := func() bool {
		got := names(t, db)
		return slices.Contains(got, dayBefore(-ahead).name) && !slices.Contains(got, dayBefore(8).name) && len(got) == 1+8+ahead
	}
	testkit.Until(t, "the partitions are as they should be", func() bool {
		for range 3 {
			replicas.Go(func() { in.round(t.Context()) })
		}
		replicas.Wait()
		return whole()
	})
	cancel()
	writers.Wait()
	if got := value(t, db, `SELECT count(*) FROM inbox`); got != fmt.Sprint(written.Load()) {
		t.Errorf("%s ids, want %d", got, written.Load())
	}
}

// A transaction that has written to the inbox and does not end keeps a partition from being dropped. Others do not wait for
// long.
func TestALongTransactionIsWaitedForOnlyForAMoment(t *testing.T) {
	t.Parallel()
	db, in, dayBefore := lastWeeks(t, 12)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it is over by then
	if _, err := tx.Exec(t.Context(), insertBefore, []string{uuid.Must(uuid.NewV7()).String()}); err != nil {
		t.Fatal(err)
	}
	in.round(t.Context())
	got := names(t, db)
	if !slices.Contains(got, dayBefore(10).name) || !slices.Contains(got, dayBefore(-ahead).name) {
		t.Errorf("days to come are made and old ones stay: %q", got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.round(t.Context())
	if got := names(t, db); slices.Contains(got, dayBefore(10).name) {
		t.Errorf("it is not dropped: %q", got)
	}
}

func TestWithoutTheRightToCreateTablesTheInboxWorksWithItsDefaultPartition(t *testing.T) {
	t.Parallel()
	db, in, _ := lastWeeks(t, 12)
	exec(t, db, `REVOKE CREATE ON SCHEMA public FROM pg_database_owner, PUBLIC`)
	in.round(t.Context())
	if got := names(t, db); len(got) != 1+8+1 { // it can still drop old ones: it owns them
		t.Errorf("partitions %q", got)
	}
	later := idOf(time.Now().Add(2 * day))
	if exec(t, db, insertBefore, []string{later}) != 1 || exec(t, db, insertBefore, []string{later}) != 0 {
		t.Error("an id of a day without a partition is not remembered")
	}
}

// No partition could be made for weeks, and all ids are in the default one. Reading it takes longer than others should
// wait.
func TestADefaultPartitionThatHasBecomeLargeIsNotReadUnderALock(t *testing.T) {
	t.Parallel()
	db, in, _ := lastWeeks(t, 1)
	exec(t, db, `CREATE FUNCTION public.pg_relation_size(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 2000000000'`)
	exec(t, db, `ALTER DATABASE `+db.Config().ConnConfig.Database+` SET search_path = public, pg_catalog`)
	db.Reset()
	before := names(t, db)
	in.round(t.Context())
	if got := names(t, db); !slices.Equal(got, before) {
		t.Errorf("partitions %q", got)
	}
	exec(t, db, `DROP FUNCTION public.pg_relation_size(regclass)`)
	in.round(t.Context())
	if got := names(t, db); len(got) != len(before)+ahead-1 {
		t.Errorf("partitions %q", got)
	}
}

// The previous release deletes by ctid, which is unique only within a partition.
func TestTheReleaseBeforeDeletesNothingThatIsRemembered(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, Migrations())
	fresh, old := stray(), idOf(time.Now())
	exec(t, db, `INSERT INTO inbox VALUES ($1, $2)`, fresh, time.Now().Add(-keep+time.Hour))
	exec(t, db, `INSERT INTO inbox VALUES ($1, $2)`, old, time.Now().Add(-keep-time.Hour))
	if place := `SELECT string_agg(DISTINCT ctid::text, ' ') FROM inbox`; value(t, db, place) != "(0,1)" {
		t.Fatalf("they are in different places: %s", value(t, db, place))
	}
	if n := exec(t, db, expireBefore, keep, 5000); n != 1 {
		t.Errorf("%d rows were deleted", n)
	}
	if home(t, db, fresh) != "inbox_default" || home(t, db, old) != "" {
		t.Errorf("the fresh one is in %q, the old one in %q", home(t, db, fresh), home(t, db, old))
	}
}

// The previous release inserts while the table becomes a partition, and finds all ids that were there.
func TestATableWithRowsBecomesTheFirstPartitionWhileTheReleaseBeforeWritesToIt(t *testing.T) {
	t.Parallel()
	whole := Migrations()
	first, err := files.ReadFile("migrations/00001_inbox.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := testkit.DB(t, postgres.Migrations{Name: whole.Name, Files: fstest.MapFS{"00001_inbox.sql": {Data: first}}})
	early, strange := idOf(time.Now().Add(30*day)), "f47ac10b-58cc-4372-a567-0e02b2c3d479"
	known := []string{idOf(time.Now()), idOf(time.Now().Add(-6 * day)), early, strange, uuid.Nil.String()}
	exec(t, db, insertBefore, known)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	var written, again atomic.Int64
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				id := uuid.Must(uuid.NewV7()).String()
				for range 2 {
					done, err := db.Exec(context.Background(), insertBefore, []string{id, id, known[0], early})
					if err != nil {
						t.Error(err)
						return
					}
					written.Add(done.RowsAffected())
				}
				again.Add(1)
			}
		})
	}
	wait := func(more int64) {
		from := again.Load()
		testkit.Until(t, "they write", func() bool { return again.Load() >= from+more })
	}
	wait(50)
	if err := postgres.Migrate(t.Context(), db, testkit.Log(t), whole); err != nil {
		t.Fatal(err)
	}
	New[nothing](db, testkit.Log(t), idle).round(t.Context())
	wait(50)
	cancel()
	writers.Wait()
	if written.Load() != again.Load() {
		t.Errorf("of %d ids %d were new", again.Load(), written.Load())
	}
	if n := exec(t, db, insertBefore, known); n != 0 {
		t.Errorf("%d ids from before are not known any more", n)
	}
	if home(t, db, known[1]) != "inbox_first" || home(t, db, early) != "inbox_default" || home(t, db, strange) != "inbox_default" {
		t.Errorf("they are in %q, %q and %q", home(t, db, known[1]), home(t, db, early), home(t, db, strange))
	}
}

// The rows from before the upgrade are dropped as a whole, too.
func TestTheFirstPartitionIsDroppedLikeAnyOther(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, Migrations())
	exec(t, db, `INSERT INTO inbox VALUES ($1, now() - interval '9 days')`, idOf(time.Now().Add(-9*day)))
	exec(t, db, `ALTER TABLE inbox DETACH PARTITION inbox_first`)
	exec(t, db, fmt.Sprintf(`ALTER TABLE inbox ATTACH PARTITION inbox_first FOR VALUES FROM (MINVALUE) TO ('%s')`, firstID(time.Now().UTC().Truncate(day).Add(-7*day))))
	New[nothing](db, testkit.Log(t), idle).round(t.Context())
	if got := names(t, db); slices.Contains(got, "inbox_first") {
		t.Errorf("partitions %q", got)
	}
}

func TestARoundEndsWhenTheProgramStops(t *testing.T) {
	t.Parallel()
	db, in, _ := lastWeeks(t, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	if err := in.Expire(ctx); err != nil {
		t.Error(err)
	}
	if got := names(t, db); len(got) != 3 {
		t.Errorf("partitions %q", got)
	}
}
