package unit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/unit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// counters is a unit of work whose rows are counters.
type counters struct {
	rows unit.Rows[string, counter]
	hook func(ctx context.Context, tx *postgres.Tx) error // at the begin of Load
}

type counter struct {
	ID string
	N  int
}

var counterTable = postgres.NewTable(func(c *counter, column postgres.Column) {
	column("id text", &c.ID)
	column("n bigint", &c.N)
})

func (w *counters) Load(ctx context.Context, tx *postgres.Tx) error {
	if w.hook != nil {
		if err := w.hook(ctx, tx); err != nil {
			return err
		}
	}
	postgres.Rows(tx, counterTable.Scan, func(c counter) { w.rows.Loaded(c.ID, c) }, `
		SELECT `+counterTable.Columns+`
		FROM counters
		WHERE id = ANY($1)
		ORDER BY id
		FOR UPDATE`, w.rows.Named())
	return tx.Flush(ctx)
}

func (w *counters) Save(_ context.Context, tx *postgres.Tx) error {
	added, changed := w.rows.Changes()
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO counters (`+counterTable.Columns+`)
			SELECT *
			FROM `+counterTable.Rows, counterTable.Values(added)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE counters AS c
			SET `+counterTable.Set+`
			FROM `+counterTable.Changes+`
			WHERE c.id = n.id`, counterTable.Changed(changed)...)
	}
	return nil
}

// add is the decision that a counter counts.
func add(id string, n int) unit.Decision[*counters] {
	return unit.Decision[*counters]{
		Name: func(w *counters) { w.rows.Name(id) },
		Make: func(w *counters) error {
			c, _ := w.rows.Get(id)
			w.rows.Put(id, counter{id, c.N + n})
			return nil
		},
	}
}

var errNo = errors.New("no")

func no(id string) unit.Decision[*counters] {
	return unit.Decision[*counters]{
		Name: func(w *counters) { w.rows.Name(id) },
		Make: func(*counters) error { return errNo },
	}
}

// bench is an office with its database.
type bench struct {
	*unit.Office[*counters]
	db    *postgres.DB
	units atomic.Int32 // that were opened: one for each run of a transaction
	hook  func(ctx context.Context, tx *postgres.Tx) error
}

func newBench(t *testing.T, settings string) *bench {
	t.Helper()
	db, err := postgres.Open(t.Context(), testkit.DatabaseURL(t)+settings, "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Exec(t.Context(), `CREATE TABLE counters (id text PRIMARY KEY, n bigint NOT NULL CHECK (n < 100))`); err != nil {
		t.Fatal(err)
	}
	b := &bench{db: db}
	b.Office = unit.NewOffice(db, testkit.Log(t), func() *counters {
		b.units.Add(1)
		return &counters{hook: b.hook}
	})
	return b
}

func (b *bench) n(t *testing.T, id string) (n int) {
	t.Helper()
	if err := b.db.QueryRow(t.Context(), `SELECT coalesce((SELECT n FROM counters WHERE id = $1), 0)`, id).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold keeps the locks of a statement until the returned function is called.
func (b *bench) hold(t *testing.T, statement string) (release func()) {
	t.Helper()
	tx, err := b.db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	return func() { _ = tx.Rollback(context.Background()) }
}

func (b *bench) expect(t *testing.T, units int, want map[string]int) {
	t.Helper()
	if got := int(b.units.Load()); got != units {
		t.Errorf("%d units of work, want %d", got, units)
	}
	for id, n := range want {
		if got := b.n(t, id); got != n {
			t.Errorf("%s is %d, want %d", id, got, n)
		}
	}
}

func TestDecisionsAreMadeOnRowsAsTheOnesBeforeHaveLeftThem(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	if errs := b.Decide(t.Context(), nil); len(errs) != 0 {
		t.Errorf("no decisions have errors: %v", errs)
	}
	b.expect(t, 0, nil)
	for range 2 {
		errs := b.Decide(t.Context(), []unit.Decision[*counters]{add("a", 1), add("b", 2), add("a", 3)})
		if !slices.Equal(errs, make([]error, 3)) {
			t.Error(errs)
		}
	}
	b.expect(t, 2, map[string]int{"a": 8, "b": 4})
}

func TestADecisionThatFailsIsLeftOutAndTheOthersAreCommittedWithoutASecondRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	errs := b.Decide(t.Context(), []unit.Decision[*counters]{add("a", 1), no("a"), add("b", 1), no("x"), add("a", 1)})
	if !slices.Equal(errs, []error{nil, errNo, nil, errNo, nil}) {
		t.Error(errs)
	}
	b.expect(t, 1, map[string]int{"a": 2, "b": 1, "x": 0})
	if errs := b.Decide(t.Context(), []unit.Decision[*counters]{no("a")}); errs[0] != errNo { //nolint:errorlint // this error and no other
		t.Error(errs)
	}
	b.expect(t, 2, map[string]int{"a": 2})
}

func TestWhenTheDatabaseRefusesABatchOnlyTheCulpritFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	errs := b.Decide(t.Context(), []unit.Decision[*counters]{add("a", 1), add("b", 1000), no("c"), add("d", 1)})
	if errs[0] != nil || !postgres.NeverWorks(errs[1]) || !errors.Is(errs[2], errNo) || errs[3] != nil {
		t.Error(errs)
	}
	b.expect(t, 1+4, map[string]int{"a": 1, "b": 0, "d": 1})
}

func TestADecisionThatAddsARowThatWasJustAddedIsMadeAgainAndFindsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	late := true // another transaction is quicker, between Load and Save
	d := unit.Decision[*counters]{
		Name: func(w *counters) { w.rows.Name("a") },
		Make: func(w *counters) error {
			if late {
				late = false
				if _, err := b.db.Exec(t.Context(), `INSERT INTO counters VALUES ('a', 5)`); err != nil {
					t.Error(err)
				}
			}
			return add("a", 1).Make(w)
		},
	}
	if errs := b.Decide(t.Context(), []unit.Decision[*counters]{d}); errs[0] != nil {
		t.Error(errs)
	}
	b.expect(t, 2, map[string]int{"a": 6})

	late = true
	if _, err := b.db.Exec(t.Context(), `DELETE FROM counters`); err != nil {
		t.Fatal(err)
	}
	if errs := b.Decide(t.Context(), []unit.Decision[*counters]{add("b", 1), d}); errs[0] != nil || errs[1] != nil {
		t.Error(errs)
	}
	b.expect(t, 2+3, map[string]int{"a": 6, "b": 1})

	always := unit.Decision[*counters]{Name: func(*counters) {}, Make: add("a", 1).Make} // it does not lock what it adds
	if errs := b.Decide(t.Context(), []unit.Decision[*counters]{always}); !postgres.Duplicate(errs[0]) {
		t.Errorf("what is never found: %v", errs[0])
	}
	b.expect(t, 5+3, map[string]int{"a": 6})
}

func TestALockedRowHarmsOnlyTheDecisionAboutIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, "&lock_timeout=200ms")
	b.Decide(t.Context(), []unit.Decision[*counters]{add("b", 1)})
	release := b.hold(t, `UPDATE counters SET n = 50 WHERE id = 'b'`)
	errs := b.Decide(t.Context(), []unit.Decision[*counters]{add("a", 1), add("b", 1), add("c", 1)})
	if errs[0] != nil || !postgres.Waited(errs[1]) || errs[2] != nil {
		t.Error(errs)
	}
	release()
	b.expect(t, 1+1+3, map[string]int{"a": 1, "b": 1, "c": 1})
}

func TestALockedTableIsNotTriedForEveryDecision(t *testing.T) {
	t.Parallel()
	b := newBench(t, "&lock_timeout=200ms")
	release := b.hold(t, `LOCK counters`)
	var all []unit.Decision[*counters]
	for i := range 20 {
		all = append(all, add(fmt.Sprint(i), 1))
	}
	for i, err := range b.Decide(t.Context(), all) {
		if !postgres.Waited(err) {
			t.Errorf("decision %d: %v", i, err)
		}
	}
	release()
	b.expect(t, 1+2, map[string]int{"0": 0, "19": 0})
}

func TestWithoutADatabaseABatchIsTriedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	b.hook = func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	}
	for i, err := range b.Decide(t.Context(), []unit.Decision[*counters]{add("a", 1), add("b", 1), add("c", 1)}) {
		if !postgres.Unavailable(err) {
			t.Errorf("decision %d: %v", i, err)
		}
	}
	b.expect(t, 1, map[string]int{"a": 0})
}

func TestATransactionThatWasBegunIsFinishedAndNoOtherBegins(t *testing.T) {
	t.Parallel()
	stopping := errors.New("stopping")
	b := newBench(t, "")
	ctx, stop := context.WithCancelCause(t.Context())
	b.hook = func(context.Context, *postgres.Tx) error { stop(stopping); return nil }
	if errs := b.Decide(ctx, []unit.Decision[*counters]{add("a", 1), add("b", 1)}); errs[0] != nil || errs[1] != nil {
		t.Errorf("begun, and not finished: %v", errs)
	}
	b.expect(t, 1, map[string]int{"a": 1, "b": 1})

	ctx, stop = context.WithCancelCause(t.Context())
	b.hook = func(context.Context, *postgres.Tx) error {
		if b.units.Load() == 3 { // the batch is the second, its first decision the third
			stop(stopping)
		}
		return nil
	}
	errs := b.Decide(ctx, []unit.Decision[*counters]{add("a", 1), add("b", 1000), add("c", 1)})
	if errs[0] != nil || !errors.Is(errs[1], stopping) || !errors.Is(errs[2], stopping) {
		t.Error(errs)
	}
	b.expect(t, 3, map[string]int{"a": 2, "b": 1, "c": 0})
}

func TestATransactionHasADeadline(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	b.hook = func(ctx context.Context, _ *postgres.Tx) error {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > unit.Within {
			t.Errorf("it ends at %s", end)
		}
		return nil
	}
	b.Decide(context.Background(), []unit.Decision[*counters]{add("a", 1)})
}

func TestADecisionThatPanicsHarmsNoOther(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	mad := unit.Decision[*counters]{Name: func(*counters) {}, Make: func(*counters) error { panic("mad") }}
	errs := b.Decide(t.Context(), []unit.Decision[*counters]{add("a", 1), mad, add("b", 1)})
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	if err := b.Do(t.Context(), mad); err == nil {
		t.Error("nobody hears of it")
	}
	if b.n(t, "a") != 1 || b.n(t, "b") != 1 {
		t.Errorf("a is %d, b is %d", b.n(t, "a"), b.n(t, "b"))
	}
}
