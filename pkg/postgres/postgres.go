// Package postgres gives a service its database: a pool, transactions that survive a restarted server, and migrations.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout  = 5 * time.Second
	pingTimeout     = 2 * time.Second
	maxConns        = 10 // for the relay, two queues, some workers, and requests; pool_max_conns in the URL replaces it
	connLifetime    = 30 * time.Minute
	connLifeJitter  = 5 * time.Minute
	startupInterval = 500 * time.Millisecond
	startupTold     = 5 * time.Second // how often a waiting program logs what it waits for

	// Times are in UTC, whatever TZ, PGTZ and the database's own setting say. pgx would read them in the program's local
	// zone.
	sessionTime = `SET timezone = 'UTC';`

	// When a client's host vanishes, the server keeps its locks until TCP gives up, which takes two hours. These settings
	// end that earlier. A transaction waits for its client for longer than a relay takes to publish a batch (20 s).
	clientMissing = `
		SET idle_in_transaction_session_timeout = '25s';
		SET tcp_keepalives_idle = '30s';
		SET tcp_keepalives_interval = '10s';
		SET tcp_keepalives_count = 3;`

	// No statement waits longer for a lock: it is better to try again later than to keep a connection, and everything else
	// in the transaction, waiting.
	lockTimeout = `
		SET lock_timeout = '5s';`

	// Planning took a third of the time of our statements: they are many, short, and always the same. So each is planned
	// for any arguments, and the plan is kept for plansLast (docs/adr/0040).
	keptPlans = `
		SET plan_cache_mode = force_generic_plan;`
)

// DB is a service's database.
type DB struct {
	*pgxpool.Pool
	onCommit []func()
}

// Open returns a pool of connections to url once the server lets the service in, however long that takes: it tries until
// ctx ends, and logs now and then what it waits for. A url that cannot be read is an error at once.
func Open(ctx context.Context, url, service string, log *slog.Logger) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL URL: %w", err)
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = service
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.PingTimeout = pingTimeout
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	cfg.MaxConnLifetime = connLifetime
	cfg.MaxConnLifetimeJitter = connLifeJitter
	settings := []string{sessionTime}
	for parameter, setting := range map[string]string{
		"idle_in_transaction_session_timeout": clientMissing, "lock_timeout": lockTimeout, "plan_cache_mode": keptPlans,
	} {
		if _, ok := cfg.ConnConfig.RuntimeParams[parameter]; !ok { // a setting in the URL has precedence
			settings = append(settings, setting)
		}
	}
	cfg.ConnConfig.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		return c.Exec(ctx, strings.Join(settings, "")).Close() // not in the startup message: poolers refuse settings there
	}
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		registerUUIDs(c.TypeMap())
		c.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		return nil
	}
	cfg.PrepareConn = fresh
	// A primary that was demoted keeps its connections open, and none of them can ever write again. The first one that
	// notices it resets the pool: with several hosts and target_session_attrs=read-write, new connections lead to the new
	// primary.
	var pool *pgxpool.Pool
	known := cfg.ConnConfig.OnPgError
	cfg.ConnConfig.OnPgError = func(conn *pgconn.PgConn, e *pgconn.PgError) bool {
		if e.Code == readOnly {
			pool.Reset()
		}
		return known(conn, e)
	}
	pool, err = pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	for begun, told := time.Now(), (time.Time{}); ; {
		err := pool.Ping(ctx)
		if err == nil {
			observe(pool)
			return &DB{Pool: pool}, nil
		}
		if ctx.Err() == nil && time.Since(told) >= startupTold {
			told = time.Now()
			log.WarnContext(ctx, "cannot begin without PostgreSQL, trying again", "error", err, "for", told.Sub(begun).Round(time.Second))
		}
		select {
		case <-time.After(startupInterval):
		case <-ctx.Done():
			pool.Close()
			return nil, fmt.Errorf("PostgreSQL does not answer: %w: %w", ctx.Err(), err)
		}
	}
}

// plansLast is how long a connection keeps its plans. A plan that is kept for ever fits the moment when it was made. A
// table that is filled and emptied all the time, as an outbox is, may have been empty then: the plan reads the whole table,
// also when it has a hundred thousand dead rows.
const plansLast = time.Second

// fresh discards old plans of a connection that is about to be used, and reports whether it can be used.
func fresh(ctx context.Context, c *pgx.Conn) (ok bool, err error) {
	const planned = "planned"
	data := c.PgConn().CustomData()
	if at, known := data[planned].(time.Time); known && time.Since(at) < plansLast {
		return true, nil
	}
	data[planned] = time.Now()
	return c.PgConn().Exec(ctx, "DISCARD PLANS").Close() == nil, nil
}

// OnCommit registers a function that is called after each transaction that Tx has committed. It wakes the outbox's relay
// and the workers, so it must not wait. OnCommit must be called before the parts run.
func (db *DB) OnCommit(f func()) { db.onCommit = append(db.onCommit, f) }

// SQLSTATE codes and classes (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	readOnly             = "25006"
	idleTooLong          = "25P03"
	queryCancelled       = "57014"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	uniqueViolation      = "23505"
	checkViolation       = "23514"
	insufficientRights   = "42501"
	undefinedTable       = "42P01" // also of a table in a schema that the role may no longer use
	undefinedColumn      = "42703"
	undefinedFunction    = "42883"
	undefinedObject      = "42704"
	noSchema             = "3F000"

	classConnection   = "08"
	classData         = "22"
	classAccount      = "28" // also from a pooler, in the middle of a session
	classResources    = "53"
	classIntervention = "57" // the server is shutting down or starting up
	classSystem       = "58"
)

func again(err error) bool {
	switch code(err) {
	case serializationFailure, deadlockDetected, idleTooLong, readOnly:
		return true
	}
	return pgconn.SafeToRetry(err)
}

// code returns the SQLSTATE of err, or "".
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// Unavailable reports whether err is about the server or the way to it, and not about the statement. That is so for every
// error while connecting, whatever its code: a changed password, a role that may not log in, a database that takes no
// connections or does not exist. It is also so when a right or a table is missing: our statements are always the same, so
// it was taken away. A deadline that has passed can be either: Ping tells.
func Unavailable(err error) bool {
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return true
	}
	c := code(err)
	if c == "" {
		return lostConnection(err)
	}
	switch c[:2] {
	case classConnection, classAccount, classResources, classIntervention, classSystem:
		return c != queryCancelled
	}
	switch c {
	case readOnly, insufficientRights, undefinedTable, undefinedColumn, undefinedFunction, undefinedObject, noSchema:
		return true
	}
	return false
}

// Waited reports whether err says that the time was up: for a lock that another transaction holds, or for the server as a
// whole.
func Waited(err error) bool {
	c := code(err)
	return c == lockNotAvailable || c == queryCancelled || errors.Is(err, context.DeadlineExceeded)
}

// NeverWorks reports whether err says that the data itself cannot be stored, however often it is tried.
func NeverWorks(err error) bool {
	c := code(err)
	return c != "" && !Unavailable(err) && (c[:2] == classData || c == checkViolation)
}

// Duplicate reports whether err says that a row with this key exists.
func Duplicate(err error) bool { return code(err) == uniqueViolation }

// lostConnection reports whether err came from the connection and not from the server.
func lostConnection(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// Now returns the time as PostgreSQL stores it: UTC, cut to microseconds.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
