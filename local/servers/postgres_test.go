package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestPostgresKeepsItsDataOverStopAndKill(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, t.TempDir())
	execute(t, p.URL, `CREATE TABLE kept (n int)`)
	address := p.URL
	for n, end := range []func(){p.Kill, func() { must(t, p.Stop()) }} {
		execute(t, p.URL, `INSERT INTO kept VALUES (1)`)
		end()
		if p.Running() {
			t.Error("it counts as running after its end")
		}
		must(t, p.Start(t.Context()))
		if p.URL != address {
			t.Errorf("its address changed from %s to %s", address, p.URL)
		}
		if got := query(t, p.URL, `SELECT count(*) FROM kept`); got != int64(n+1) {
			t.Errorf("%d rows were kept, want %d", got, n+1)
		}
	}
}

func TestPostgresStartsOnTheDataOfAKilledOneWhosePidIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startPostgres(t, dir)
	execute(t, p.URL, `CREATE TABLE kept AS SELECT 5 AS n`)
	p.Kill()

	path := filepath.Join(dir, "data/postmaster.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	must(t, os.WriteFile(path, fmt.Appendf(nil, "%d\n%s", os.Getppid(), rest), 0o600))

	again := startPostgres(t, dir)
	if got := query(t, again.URL, `SELECT n FROM kept`); got != int64(5) {
		t.Errorf("it holds %d, want 5", got)
	}
}

func TestTwoPostgresRunBesideEachOtherButNotOnTheSameData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, other := startPostgres(t, dir), startPostgres(t, t.TempDir())
	if one.URL == other.URL {
		t.Errorf("both are at %s", one.URL)
	}
	if _, err := StartPostgres(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "run by another program") {
		t.Errorf("starting one on data in use returned %v", err)
	}
	execute(t, one.URL, `SELECT 1`) // the owner may still connect
}

func TestPostgresTakesAnotherPortWhenItsOwnIsTaken(t *testing.T) {
	t.Parallel()
	taken := startPostgres(t, t.TempDir())
	p := &Postgres{}
	var err error
	p.server, err = open("postgres", Options{Dir: t.TempDir()})
	must(t, err)
	must(t, p.prepare(t.Context()))
	t.Cleanup(p.Kill)

	tries := 0
	must(t, p.start(t.Context(), func(ctx context.Context) error {
		tries++
		p.port = taken.port
		if tries > 1 {
			p.port, err = FreePort()
			must(t, err)
		}
		p.URL = strings.Replace(taken.URL, fmt.Sprint(taken.port), fmt.Sprint(p.port), 1)
		p.URL = strings.Replace(p.URL, taken.password, p.password, 1)
		return p.launch(ctx)
	}, p.answers))
	if tries != 2 {
		t.Errorf("it took %d tries, want 2", tries)
	}
}

func TestASuspendedPostgresAnswersOnlyWhenResumed(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, t.TempDir())
	conn, err := pgx.Connect(t.Context(), p.URL)
	must(t, err)
	defer conn.Close(context.Background())

	p.Suspend()
	answer := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), `SELECT 1`)
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("a connection that was open got an answer: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	p.Resume()
	must(t, <-answer)
}

func TestARoleOwnsItsDatabaseAndIsKeptOutOfOthers(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, t.TempDir())
	orders, err := p.CreateDatabase(t.Context(), "orders", "it's 100% secret/?")
	must(t, err)
	payments, err := p.CreateDatabase(t.Context(), "payments", "x")
	must(t, err)
	execute(t, orders, `CREATE TABLE o (n int)`)
	execute(t, payments, `CREATE TABLE p (n int)`)

	intruder := strings.Replace(orders, "/orders?", "/payments?", 1)
	_, err = pgx.Connect(t.Context(), intruder)
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "42501" {
		t.Errorf("the role of one service on another's database: %v, want insufficient privilege", err)
	}

	again, err := p.CreateDatabase(t.Context(), "orders", "new")
	must(t, err)
	execute(t, again, `INSERT INTO o VALUES (1)`)
	if _, err := pgx.Connect(t.Context(), orders); err == nil {
		t.Error("the former password still works")
	}
}

func TestPostgresAsksForAPassword(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, t.TempDir())
	address, err := url.Parse(p.URL)
	must(t, err)
	address.User = url.UserPassword("postgres", "guessed")
	if _, err := pgx.Connect(t.Context(), address.String()); err == nil {
		t.Error("any password opens it")
	}
}

func startPostgres(t *testing.T, dir string) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), Options{Dir: dir, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), statement)
	must(t, err)
}

func query(t *testing.T, url, statement string) int64 {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(context.Background())
	var n int64
	must(t, conn.QueryRow(t.Context(), statement).Scan(&n))
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
