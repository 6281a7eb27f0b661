package inbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// keep is how long ids are remembered, from when they were received: longer than a message can be on its way. When a
	// message is replayed after that, the handlers' business keys notice it. A trigger in the migrations has the same
	// number.
	keep = 7 * 24 * time.Hour

	day        = 24 * time.Hour
	ahead      = 7         // days to come that have a partition: so much time there is to notice that none can be made any more
	margin     = time.Hour // a day that begins sooner gets none: clocks differ, and ids of that day may be on their way
	roundEvery = 10 * time.Minute
	lockWait   = "500ms" // how long a step may wait for its lock, and others behind it; below deadlock_timeout (1 s)

	// Attaching a partition reads the default one under a lock: 0.1 s for a million rows, or 66 MB.
	defaultMost = 1 << 30 // bytes
)

// Expire deletes ids that are old enough, now and then until ctx ends. It is a part of a program.
//
// Whole days of ids are deleted by dropping their partitions (docs/adr/0035). The default partition has the ids that belong
// to no such day: ids that are no UUIDv7, and those of a day whose partition was dropped or never made. Its rows are
// deleted one by one.
func (in *Inbox[W]) Expire(ctx context.Context) error {
	var days sync.WaitGroup
	defer days.Wait()
	days.Go(func() { in.keepPartitions(ctx) })
	return in.db.Expire(in.log, "inbox_default", "received_at", keep)(ctx)
}

// keepPartitions makes the partitions of the days to come and drops those of past days, now and then until ctx ends.
func (in *Inbox[W]) keepPartitions(ctx context.Context) {
	for {
		in.round(ctx)
		select {
		case <-time.After(roundEvery):
		case <-ctx.Done():
			return
		}
	}
}

// round makes and drops partitions that are due, each in a transaction of its own. A step that fails is logged and left to
// the next round: it takes days until a partition is missing, and then the default partition takes its ids.
func (in *Inbox[W]) round(ctx context.Context) {
	all, now, err := partitions(ctx, in.db)
	if err != nil {
		if ctx.Err() == nil {
			in.log.WarnContext(ctx, "cannot look at the inbox's partitions", "error", err)
		}
		return
	}
	for i := range ahead {
		begins := now.Truncate(day).Add(time.Duration(i+1) * day)
		p := partition{"inbox_" + begins.Format("20060102"), firstID(begins), firstID(begins.Add(day))}
		if begins.Sub(now) >= margin && !slices.ContainsFunc(all, p.overlaps) {
			in.step(ctx, "made", p, p.create)
		}
	}
	for _, p := range all {
		if now.Sub(timeOf(p.until)) >= keep {
			in.step(ctx, "dropped", p, p.drop)
		}
	}
}

// step does one thing to a partition, unless another replica is doing it or has done it meanwhile.
func (in *Inbox[W]) step(ctx context.Context, what string, p partition, do func(ctx context.Context, tx pgx.Tx, all []partition) (done bool, err error)) {
	var done bool
	err := pgx.BeginFunc(ctx, in.db.Pool, func(tx pgx.Tx) error {
		var ours bool
		err := tx.QueryRow(ctx, `
			SELECT pg_try_advisory_xact_lock(hashtextextended('partitions of the inbox', 0)), set_config('lock_timeout', $1, true)`, lockWait).Scan(&ours, nil)
		if err != nil || !ours {
			return err
		}
		all, _, err := partitions(ctx, tx)
		if err != nil {
			return err
		}
		done, err = do(ctx, tx, all)
		return err
	})
	switch {
	case err != nil && ctx.Err() == nil:
		in.log.WarnContext(ctx, "a partition of the inbox cannot be "+what+" now, trying again later", "partition", p.name, "error", err, "in", roundEvery)
	case err == nil && done:
		in.log.InfoContext(ctx, "a partition of the inbox was "+what, "partition", p.name)
	}
}

// partition is a range of ids. The default partition is not one of them.
type partition struct {
	name        string
	from, until string // ids as PostgreSQL writes them, which sort as texts; until is exclusive
}

var errTooLarge = errors.New("the default partition is too large to be read while everybody waits")

func (p partition) overlaps(other partition) bool {
	return p.from < other.until && other.from < p.until
}

// partitions returns the inbox's partitions, and the server's time: the clock that all replicas use.
func partitions(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
},
) (all []partition, now time.Time, err error) {
	rows, err := db.Query(ctx, `
		SELECT c.relname,
		       coalesce(substring(bound FROM 'FROM \(''(.*?)''\)'), ''), -- MINVALUE comes before all
		       coalesce(substring(bound FROM 'TO \(''(.*?)''\)'), ''),   -- the default partition has none
		       now()
		FROM pg_inherits AS i
		JOIN pg_class AS c ON c.oid = i.inhrelid
		CROSS JOIN pg_get_expr(c.relpartbound, c.oid) AS bound
		WHERE i.inhparent = 'inbox'::regclass
		ORDER BY c.relname`)
	if err != nil {
		return nil, now, fmt.Errorf("partitions of the inbox: %w", err)
	}
	var p partition
	_, err = pgx.ForEachRow(rows, []any{&p.name, &p.from, &p.until, &now}, func() error {
		if p.until != "" {
			all = append(all, p)
		}
		return nil
	})
	if err != nil {
		return nil, now, fmt.Errorf("partitions of the inbox: %w", err)
	}
	return all, now.UTC(), nil
}

// create makes the partition. The table is made first and attached then, because that stops no transaction on the other
// partitions: attaching takes SHARE UPDATE EXCLUSIVE on the inbox, beside which others read and write. CREATE TABLE …
// PARTITION OF would stop them. The default partition is locked and read once, to see that it has no id of the day. It has
// few rows. When it has many, because no partition could be made for weeks, reading it would stop all writers for seconds;
// then the partition is left to an operator. When it has an id of the day, from a clock that is days ahead, attaching fails
// (23514), and all ids of that day will be in the default partition.
//
// A transaction that has begun before would write an id of the day to the default partition, and would be refused (23514,
// too). So a day that begins within the margin gets no partition any more.
func (p partition) create(ctx context.Context, tx pgx.Tx, all []partition) (bool, error) {
	if slices.ContainsFunc(all, p.overlaps) {
		return false, nil
	}
	table := pgx.Identifier{p.name}.Sanitize()
	create := fmt.Sprintf(`CREATE TABLE %s (LIKE inbox INCLUDING ALL)`, table)
	attach := fmt.Sprintf(`ALTER TABLE inbox ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')`, table, p.from, p.until)
	var size int64
	if err := tx.QueryRow(ctx, `SELECT pg_relation_size('inbox_default')`).Scan(&size); err != nil {
		return false, fmt.Errorf("size of the default partition: %w", err)
	}
	if size > defaultMost {
		return false, fmt.Errorf("%w (%d MB); in a quiet moment, by hand: %s; %s", errTooLarge, size>>20, create, attach)
	}
	for _, statement := range []string{create, attach} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return false, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return true, nil
}

// drop drops the partition unless it has an id that was received lately: a message can be replayed days after it was sent.
//
// The answer stays true because the partition is locked for writing until the end; the others are not. DROP then takes
// ACCESS EXCLUSIVE on the inbox: it waits for all transactions that have written to the inbox, and everything else waits
// behind it. lockWait limits that. (DETACH … CONCURRENTLY would make nothing wait, but does not work on a table that has a
// default partition.)
func (p partition) drop(ctx context.Context, tx pgx.Tx, all []partition) (bool, error) {
	if !slices.Contains(all, p) {
		return false, nil
	}
	table := pgx.Identifier{p.name}.Sanitize()
	if _, err := tx.Exec(ctx, fmt.Sprintf(`LOCK TABLE %s IN SHARE MODE`, table)); err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	var remembered bool
	err := tx.QueryRow(ctx, fmt.Sprintf(`
		SELECT EXISTS (
			SELECT FROM %s
			WHERE received_at >= now() - $1::interval)`, table), keep).Scan(&remembered)
	if err != nil {
		return false, fmt.Errorf("look for late ids: %w", err)
	}
	if remembered {
		return false, nil
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(`DROP TABLE %s`, table)); err != nil {
		return false, fmt.Errorf("drop: %w", err)
	}
	return true, nil
}

// firstID returns an id that is not above any UUIDv7 of a time: a UUIDv7 begins with 48 bits of milliseconds since 1970.
func firstID(t time.Time) string {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], uint64(t.UnixMilli())<<16)
	return id.String()
}

// timeOf is the inverse of firstID.
func timeOf(id string) time.Time {
	u := uuid.MustParse(id) // PostgreSQL has written it, so it is valid
	return time.UnixMilli(int64(binary.BigEndian.Uint64(u[:]) >> 16))
}
