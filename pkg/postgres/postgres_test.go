package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	url := testkit.DatabaseURL(t)
	part := postgres.Migrations{Name: "things", Files: fstest.MapFS{
		"00001_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE things (n int); SELECT pg_sleep(0.2);")},
		"00002_more.sql":   {Data: []byte("-- +goose Up\nALTER TABLE things ADD COLUMN m int;")},
		// It waits for all transactions of others, so the others must not wait for it in a transaction.
		"00003_index.sql": {Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\nDROP INDEX CONCURRENTLY IF EXISTS things_m;\nCREATE INDEX CONCURRENTLY things_m ON things (m);")},
	}}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			db, err := postgres.Open(t.Context(), url, "test", testkit.Log(t))
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := postgres.Migrate(t.Context(), db, testkit.Log(t), part); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestATransactionThatLostADeadlockIsRunAgain(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t)
	if _, err := db.Exec(t.Context(), `CREATE TABLE rows (id int PRIMARY KEY, n int); INSERT INTO rows VALUES (1, 0), (2, 0)`); err != nil {
		t.Fatal(err)
	}
	var first, all sync.WaitGroup
	first.Add(2)
	var once [2]sync.Once
	for i := range 2 {
		all.Go(func() {
			err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
				if _, err := tx.Exec(t.Context(), `UPDATE rows SET n = n + 1 WHERE id = $1`, 1+i); err != nil {
					return err
				}
				once[i].Do(first.Done)
				first.Wait() // both hold one row now
				_, err := tx.Exec(t.Context(), `UPDATE rows SET n = n + 1 WHERE id = $1`, 2-i)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var sum int
	if err := db.QueryRow(t.Context(), `SELECT sum(n) FROM rows`).Scan(&sum); err != nil || sum != 4 {
		t.Errorf("sum %d, %v: each transaction should count once", sum, err)
	}
}

func TestAPoolSurvivesARestartOfTheServer(t *testing.T) {
	t.Parallel()
	p := testkit.PrivatePostgres(t)
	db, err := postgres.Open(t.Context(), p.URL, "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), `CREATE TABLE counts (n int); INSERT INTO counts VALUES (0)`); err != nil {
		t.Fatal(err)
	}
	count := func(ctx context.Context) error {
		return db.Tx(ctx, func(tx *postgres.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE counts SET n = n + 1`)
			return err
		})
	}
	if err := count(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := count(ctx); !postgres.Unavailable(err) {
		t.Errorf("without a server: %v, want an error that is about the server", err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the pool works again", func() bool { return count(t.Context()) == nil })
}

func TestSessionsHaveTheirSettingsUnlessTheURLHasOthers(t *testing.T) {
	t.Parallel()
	url := testkit.DatabaseURL(t)
	for _, c := range []struct{ query, setting, want string }{
		{"", "idle_in_transaction_session_timeout", "25s"},
		{"&idle_in_transaction_session_timeout=90s", "idle_in_transaction_session_timeout", "90s"},
		{"&idle_in_transaction_session_timeout=90s", "lock_timeout", "5s"},
		{"", "lock_timeout", "5s"},
		{"&lock_timeout=70s", "lock_timeout", "70s"},
		{"&lock_timeout=70s", "idle_in_transaction_session_timeout", "25s"},
		{"", "plan_cache_mode", "force_generic_plan"},
		{"&plan_cache_mode=auto", "plan_cache_mode", "auto"},
	} {
		db, err := postgres.Open(t.Context(), url+c.query, "test", testkit.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var got string
		if err := db.QueryRow(t.Context(), `SHOW `+c.setting).Scan(&got); err != nil || got != c.want {
			t.Errorf("%q: %s is %s, %v, want %s", c.query, c.setting, got, err, c.want)
		}
	}
}

func planOf(t *testing.T, conn *pgxpool.Conn, statement string) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `EXPLAIN `+statement)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestAPlanIsKeptForALimitedTime(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), testkit.DatabaseURL(t)+"&pool_max_conns=1", "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const execute = `EXECUTE done (ARRAY[gen_random_uuid()])`
	plan := func(statements ...string) string {
		t.Helper()
		conn, err := db.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		for _, statement := range statements {
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		return planOf(t, conn, execute)
	}
	const byKey = "Index Cond: (id = d.id)"
	if p := plan(
		`CREATE TABLE queue (id uuid PRIMARY KEY, what text) WITH (autovacuum_enabled = off)`,
		`PREPARE done (uuid[]) AS DELETE FROM queue USING unnest($1) AS d (id) WHERE queue.id = d.id`,
		`ANALYZE queue`,
		execute,
		`INSERT INTO queue SELECT gen_random_uuid(), repeat('x', 100) FROM generate_series(1, 50000)`,
	); strings.Contains(p, byKey) {
		t.Errorf("it is no plan of an empty table, so it was not kept:\n%s", p)
	}
	testkit.Until(t, "it is planned for the table as it is by now", func() bool { return strings.Contains(plan(), byKey) })
	var kept bool
	if err := db.QueryRow(t.Context(), `SELECT generic_plans > 1 AND custom_plans = 0 FROM pg_prepared_statements WHERE name = 'done'`).Scan(&kept); err != nil || !kept {
		t.Errorf("a plan for any values: %t, %v", kept, err)
	}
}

func TestAStatementThatTakesSomeOfManyRowsIsPlannedForItsArguments(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), testkit.DatabaseURL(t)+"&pool_max_conns=1", "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const some = `SELECT n::int FROM generate_series(1, 1000) AS n LIMIT $1`
	for limit := range 8 { // more runs than the five after which PostgreSQL would choose a kind of plan by itself
		got, err := postgres.Planned(t.Context(), db, pgx.RowTo[int], some, limit)
		if err != nil || len(got) != limit {
			t.Fatalf("%d rows, %v, want %d", len(got), err, limit)
		}
	}
	var custom, kept int
	if err := db.QueryRow(t.Context(), `SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement = $1`, some).Scan(&custom, &kept); err != nil || custom != 8 || kept != 0 {
		t.Errorf("%d plans for the arguments and %d for any, %v", custom, kept, err)
	}
	var mode string
	if err := db.QueryRow(t.Context(), `SHOW plan_cache_mode`).Scan(&mode); err != nil || mode != "force_generic_plan" {
		t.Errorf("afterwards the session has %s, %v", mode, err)
	}
	if _, err := postgres.Planned(t.Context(), db, pgx.RowTo[int], `SELECT 1 / $1::int`, 0); err == nil {
		t.Error("an error of the statement is none")
	}
}

func TestATransactionOfAProcessThatWasFrozenIsRunAgain(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), testkit.DatabaseURL(t)+"&idle_in_transaction_session_timeout=200ms", "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), `CREATE TABLE counts (n int); INSERT INTO counts VALUES (0)`); err != nil {
		t.Fatal(err)
	}
	runs := 0
	err = db.Tx(t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.Exec(t.Context(), `UPDATE counts SET n = n + 1`); err != nil {
			return err
		}
		if runs++; runs == 1 { // as if frozen; another transaction gets the lock meanwhile
			if _, err := db.Exec(t.Context(), `UPDATE counts SET n = n + 10`); err != nil {
				return err
			}
		}
		_, err := tx.Exec(t.Context(), `SELECT 1`)
		return err
	})
	var n int
	if err := errors.Join(err, db.QueryRow(t.Context(), `SELECT n FROM counts`).Scan(&n)); err != nil || n != 11 || runs != 2 {
		t.Errorf("after %d runs it is %d, %v", runs, n, err)
	}
}

// A primary is demoted while all the pool's connections are open: a planned change, or a cluster that has elected another
// one.
func TestAPoolLetsGoOfAServerThatIsNoLongerThePrimary(t *testing.T) {
	t.Parallel()
	old := testkit.PrivatePostgres(t)
	next, err := servers.StartStandby(t.Context(), old.URL, servers.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = next.Stop() })
	// There are two services; in one of them only the relay writes.
	var pools [2]*postgres.DB
	for i := range pools {
		if pools[i], err = postgres.Open(t.Context(), servers.EitherOf(old, next).URL, "test", testkit.Log(t)); err != nil {
			t.Fatal(err)
		}
		defer pools[i].Close()
		fill(t, pools[i])
	}
	if _, err := pools[0].Exec(t.Context(), `CREATE TABLE counts (n int)`); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(old.Retire(t.Context()), next.Promote(t.Context())); err != nil {
		t.Fatal(err)
	}

	const insert = `INSERT INTO counts VALUES (1)`
	err = pools[0].Tx(t.Context(), func(tx *postgres.Tx) error {
		tx.Queue(insert)
		return nil
	})
	if err != nil {
		t.Errorf("a transaction that may be run again: %v", err)
	}
	if _, err := pools[1].Exec(t.Context(), insert); !postgres.Unavailable(err) {
		t.Errorf("a statement that may not: %v, want an error that is about the server", err)
	}
	for _, db := range pools { // every connection has been replaced, not only the one that has noticed it
		fill(t, db)
	}
}

// fill opens as many connections as the pool may have. Each must be to a server that takes writes.
func fill(t *testing.T, db *postgres.DB) {
	t.Helper()
	for range db.Config().MaxConns {
		conn, err := db.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		var readOnly string
		if err := conn.QueryRow(t.Context(), `SHOW default_transaction_read_only`).Scan(&readOnly); err != nil || readOnly == "on" {
			t.Errorf("a connection to a server that is read only: %q, %v", readOnly, err)
		}
	}
}

func TestErrorsAreToldApartByTheirCode(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t)
	if _, err := db.Exec(t.Context(), `CREATE TABLE strict (id int PRIMARY KEY CHECK (id > 0)); INSERT INTO strict VALUES (1);
		CREATE TABLE locked (id int); REVOKE ALL ON locked FROM CURRENT_USER`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		statement                    string
		unavailable, never, repeated bool
	}{
		{`INSERT INTO strict VALUES (1)`, false, false, true},
		{`INSERT INTO strict VALUES (0)`, false, true, false},
		{`SELECT 'x'::uuid`, false, true, false},
		{`SELECT 1/0`, false, true, false},
		{`SELECT nonsense`, true, false, false},       // our statements are always the same: the column was taken away
		{`SELECT * FROM missing`, true, false, false}, // likewise
		{`SELECT * FROM locked`, true, false, false},  // a right that was taken away
		{`SET TRANSACTION READ ONLY; CREATE TABLE t ()`, true, false, false},
		{`SELECT pg_terminate_backend(pg_backend_pid())`, true, false, false},
		{`SELECT pg_cancel_backend(pg_backend_pid())`, false, false, false},
		{`SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)`, false, false, false}, // the statement asked for too much
		{`SET LOCAL lock_timeout = 1; LOCK strict`, false, false, false},             // another transaction has the lock
		{raise("disk_full"), true, false, false},
		{raise("out_of_memory"), true, false, false},
		{raise("io_error"), true, false, false},
		{raise("invalid_password"), true, false, false}, // a pooler's own error
		{raise("internal_error"), false, false, false},
		{raise("serialization_failure"), false, false, false},
	} {
		_, err := db.Exec(t.Context(), c.statement, pgx.QueryExecModeSimpleProtocol)
		err = fmt.Errorf("wrapped: %w", err)
		if postgres.Unavailable(err) != c.unavailable || postgres.NeverWorks(err) != c.never || postgres.Duplicate(err) != c.repeated {
			t.Errorf("%s: %v: unavailable %t, never %t, duplicate %t", c.statement, err, postgres.Unavailable(err), postgres.NeverWorks(err), postgres.Duplicate(err))
		}
	}
	for _, err := range []error{nil, errors.New("any"), pgx.ErrNoRows, context.Canceled} {
		if postgres.Unavailable(err) {
			t.Errorf("%v says that the server is away", err)
		}
	}
}

// raise returns a statement that fails with a condition that a test cannot bring about.
func raise(condition string) string { return `DO $$ BEGIN RAISE ` + condition + `; END $$` }

func TestRowsExpireAndYoungOnesStay(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t)
	_, err := db.Exec(t.Context(), `
		CREATE TABLE events (at timestamptz);
		INSERT INTO events SELECT now() - interval '2 hours' FROM generate_series(1, 12000);
		INSERT INTO events SELECT now() FROM generate_series(1, 7)`)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Go(t, db.Expire(testkit.Log(t), "events", "at", time.Hour))
	testkit.Until(t, "the old rows are gone and the young ones are not", func() bool {
		var n int
		return db.QueryRow(t.Context(), `SELECT count(*) FROM events`).Scan(&n) == nil && n == 7
	})
}

// Most of the time no row is old. The time to find that out must not grow with the table, whatever the planner knows of it:
// nothing yet, what it held before, or not even for how long rows are kept.
func TestWhenNothingExpiresTheTableIsNotRead(t *testing.T) {
	t.Parallel()
	for name, circumstance := range map[string]string{
		"a new table":          ``,
		"all was old":          `UPDATE events SET at = at - interval '1 year'; ANALYZE events; UPDATE events SET at = at + interval '1 year'`,
		"it is known":          `VACUUM ANALYZE events`,
		"a plan for any value": `SET plan_cache_mode = force_generic_plan`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testkit.DB(t)
			conn, err := db.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			for _, statement := range append([]string{
				`CREATE TABLE events (at timestamptz, what text)`,
				`CREATE INDEX events_by_age ON events (at)`,
				`INSERT INTO events SELECT now(), repeat('x', 100) FROM generate_series(1, 50000)`,
				`PREPARE expire (interval, int) AS ` + postgres.ExpireStatement("events", "at"),
			}, strings.Split(circumstance, ";")...) {
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			if plan := planOf(t, conn, `EXECUTE expire ('1 hour', 5000)`); strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Bitmap") || !strings.Contains(plan, "events_by_age") {
				t.Errorf("its plan is\n%s", plan)
			}
		})
	}
}

func TestATimeIsReadAsUTCWhereverTheProgramRuns(t *testing.T) {
	t.Parallel()
	if _, here := time.Now().Zone(); here == 0 {
		t.Fatal("the tests run at UTC: this one would prove nothing")
	}
	url := testkit.DatabaseURL(t)
	if strings.Contains(url, "?") {
		url += "&timezone=Asia/Tokyo"
	} else {
		url += "?timezone=Asia/Tokyo"
	}
	db, err := postgres.Open(t.Context(), url, "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var at time.Time
	var zone string
	if err := db.QueryRow(t.Context(), `SELECT '2026-01-02 03:04:05+00'::timestamptz, current_setting('timezone')`).Scan(&at, &zone); err != nil {
		t.Fatal(err)
	}
	if got := at.Format(time.RFC3339); got != "2026-01-02T03:04:05Z" || zone != "UTC" {
		t.Errorf("it is %s, in a session at %s", got, zone)
	}
}
