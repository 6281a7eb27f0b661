package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// StartStandby starts a server that follows another one by streaming replication, and returns when it answers. primary is
// the URL of the other's superuser. The content of options.Dir is replaced by a copy of the other's data, which includes its
// passwords.
func StartStandby(ctx context.Context, primary string, options Options) (*Postgres, error) {
	address, err := url.Parse(primary)
	if err != nil {
		return nil, fmt.Errorf("address of the primary: %w", err)
	}
	common, err := open("postgres", options)
	if err != nil {
		return nil, err
	}
	p := &Postgres{server: common, port: options.Port}
	p.password, _ = address.User.Password()
	if err := p.copy(ctx, primary); err != nil {
		p.leave()
		return nil, err
	}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Postgres) copy(ctx context.Context, primary string) error {
	if err := p.chooseOwner(); err != nil {
		return err
	}
	if err := os.RemoveAll(p.file("data")); err != nil {
		return fmt.Errorf("remove what was there: %w", err)
	}
	backup, err := p.command(ctx, "pg_basebackup", "--dbname="+primary, "--pgdata="+p.path("data"),
		"--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	if err != nil {
		return err
	}
	if output, err := backup.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, output)
	}
	return nil
}

// RequireStandby makes every commit wait until a standby has it on disk. Without it, a failover loses the latest commits;
// with it, commits wait while no standby follows.
func (p *Postgres) RequireStandby(ctx context.Context) error {
	return p.administer(ctx, `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'`, `SELECT pg_reload_conf()`)
}

// Promote makes a standby a primary that requires no standby, and returns when it accepts writes.
func (p *Postgres) Promote(ctx context.Context) error {
	return p.administer(ctx, `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`, `SELECT pg_promote()`)
}

// Retire makes a primary refuse writes from now on, while all its connections stay open, and returns when the standby has
// received everything.
func (p *Postgres) Retire(ctx context.Context) error {
	if err := p.administer(ctx, `ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`); err != nil {
		return err
	}
	return p.wait(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, p.URL)
		if err != nil {
			return err
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing is lost with it
		var closed, done bool
		err = conn.QueryRow(ctx, `
			SELECT current_setting('default_transaction_read_only')::boolean
				AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_xid IS NOT NULL),
				EXISTS (SELECT FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn())`).Scan(&closed, &done)
		if err == nil && (!closed || !done) {
			err = fmt.Errorf("nobody writes: %t; the standby has it all: %t", closed, done)
		}
		return err
	})
}

func (p *Postgres) administer(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost with it
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// EitherOf is the administration of servers that replace each other: of the one that accepts writes at the moment. The
// URLs that it returns work in the same way.
func EitherOf(all ...*Postgres) Databases {
	hosts := make([]string, len(all))
	for i, p := range all {
		hosts[i] = address(p.port)
	}
	return Databases{URL: fmt.Sprintf("postgres://postgres:%s@%s/postgres?sslmode=disable&target_session_attrs=read-write",
		all[0].password, strings.Join(hosts, ","))}
}
