package servers

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// Rows are written one after another until the primary is gone. The standby must then have all that were confirmed.
func TestCommittedRowsSurviveTheLossOfThePrimary(t *testing.T) {
	t.Parallel()
	primary := startPostgres(t, t.TempDir())
	execute(t, primary.URL, `CREATE TABLE rows (n int)`)
	standby := follow(t, primary)
	must(t, primary.RequireStandby(t.Context()))
	either := EitherOf(standby, primary)

	written, enough := make(chan int64, 1), make(chan bool)
	go func() {
		conn, err := pgx.Connect(t.Context(), either.URL)
		n := int64(0)
		for ; err == nil; n++ {
			if _, err = conn.Exec(t.Context(), `INSERT INTO rows VALUES (1)`); n == 100 {
				close(enough)
			}
		}
		written <- n - 1
	}()
	<-enough
	primary.Kill()
	confirmed := <-written
	must(t, standby.Promote(t.Context()))
	execute(t, either.URL, `INSERT INTO rows VALUES (1)`)
	// The last row may have been written although its confirmation was lost.
	if kept := query(t, either.URL, `SELECT count(*) FROM rows`) - 1; kept != confirmed && kept != confirmed+1 {
		t.Errorf("%d rows were kept, %d had been confirmed", kept, confirmed)
	}
}

func TestTheSuccessorOfARetiredPrimaryHasAllItsRows(t *testing.T) {
	t.Parallel()
	old := startPostgres(t, t.TempDir())
	next := follow(t, old)
	either := EitherOf(old, next)
	execute(t, either.URL, `CREATE TABLE rows AS SELECT generate_series(1, 100000)`)
	must(t, old.Retire(t.Context()))
	must(t, next.Promote(t.Context()))
	execute(t, either.URL, `INSERT INTO rows VALUES (1)`)
	if before, after := query(t, old.URL, `SELECT count(*) FROM rows`), query(t, next.URL, `SELECT count(*) FROM rows`); before != 100000 || after != 100001 {
		t.Errorf("%d rows before and %d after the change", before, after)
	}
}

func follow(t *testing.T, primary *Postgres) *Postgres {
	t.Helper()
	p, err := StartStandby(t.Context(), primary.URL, Options{Dir: t.TempDir(), Log: t.Output()})
	must(t, err)
	t.Cleanup(p.Kill)
	return p
}
