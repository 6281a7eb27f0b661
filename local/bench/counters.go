package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/servers"
)

// databaseSettings make PostgreSQL keep statistics and commit timestamps.
var databaseSettings = map[string]string{
	"shared_preload_libraries": "pg_stat_statements",
	"track_commit_timestamp":   "on",
	"pg_stat_statements.save":  "off",
}

// watcher is a superuser's connection that reads PostgreSQL's counters. Its own work is not counted: it uses a database of
// its own.
type watcher struct{ conn *pgx.Conn }

// watch connects to the database postgres, which no service uses.
func watch(ctx context.Context, administrator string) (watcher, error) {
	conn, err := pgx.Connect(ctx, administrator)
	if err == nil {
		_, err = conn.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS pg_stat_statements`)
	}
	if err != nil {
		return watcher{}, fmt.Errorf("count statements: %w", err)
	}
	return watcher{conn}, nil
}

func (w watcher) close(ctx context.Context) { _ = w.conn.Close(context.WithoutCancel(ctx)) } // it has only read

// counters are PostgreSQL's totals so far, over all databases but the watcher's.
type counters struct{ statements, commits, syncs, bytes int64 }

// count reads the counters. Statements and commits are those of the services' roles. The benchmark's own statements are left
// out, because it runs them as the superuser; its commits are not, but the caller knows their number.
func (w watcher) count(ctx context.Context) (c counters, err error) {
	err = w.conn.QueryRow(ctx, `
		SELECT
			(SELECT coalesce(sum(calls), 0)::bigint
			FROM pg_stat_statements AS s
			JOIN pg_roles AS r ON r.oid = s.userid
			WHERE NOT r.rolsuper AND query !~* '^(begin|commit|rollback)'),
			(SELECT coalesce(sum(xact_commit), 0)::bigint
			FROM pg_stat_database
			WHERE datname NOT IN ('postgres', 'template0', 'template1')),
			(SELECT wal_sync FROM pg_stat_wal),
			(SELECT wal_bytes::bigint FROM pg_stat_wal)`).Scan(&c.statements, &c.commits, &c.syncs, &c.bytes)
	if err != nil {
		return c, fmt.Errorf("read PostgreSQL's counters: %w", err)
	}
	return c, nil
}

// since is the cost of an order since an earlier count, without the benchmark's own commits.
func (c counters) since(before counters, own int64, orders int) Database {
	if orders == 0 {
		return Database{}
	}
	each := func(n int64) float64 { return max(0, float64(n)/float64(orders)) }
	return Database{
		Statements: each(c.statements - before.statements), Commits: each(c.commits - before.commits - own),
		Syncs: each(c.syncs - before.syncs), KB: each(c.bytes-before.bytes) / 1024,
	}
}

// overview is RabbitMQ's summary of itself.
type overview struct {
	Version string `json:"rabbitmq_version"`
	Stats   struct {
		Published int64 `json:"publish"`
		Acked     int64 `json:"ack"`
	} `json:"message_stats"`
	Totals struct {
		Messages int64 `json:"messages"`
	} `json:"queue_totals"`
}

// brokerTimeout bounds a request to the management API.
const brokerTimeout = 30 * time.Second

func readOverview(ctx context.Context, broker servers.Broker) (o overview, err error) {
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	address, err := url.Parse(broker.Management)
	if err != nil {
		return o, fmt.Errorf("address of the management API: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.JoinPath("api", "overview").String(), nil)
	if err != nil {
		return o, fmt.Errorf("ask RabbitMQ: %w", err)
	}
	response, err := direct.Client.Do(request) // the account is in the URL
	if err != nil {
		return o, fmt.Errorf("ask RabbitMQ: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end, or no longer needed
	if response.StatusCode != http.StatusOK {
		return o, fmt.Errorf("ask RabbitMQ: %s", response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&o); err != nil {
		return o, fmt.Errorf("ask RabbitMQ: %w", err)
	}
	return o, nil
}

// steadyWithin bounds the wait for RabbitMQ's counters, which it updates every five seconds.
const (
	steadyWithin = 30 * time.Second
	steadyFor    = 6 * time.Second
)

// published is how many messages RabbitMQ has taken from publishers so far. It waits until the number stops changing, so no
// program may publish meanwhile.
func published(ctx context.Context, broker servers.Broker) (int64, error) {
	last, since := int64(-1), time.Now()
	for deadline := time.Now().Add(steadyWithin); ; {
		o, err := readOverview(ctx, broker)
		if err != nil {
			return 0, err
		}
		if o.Stats.Published != last {
			last, since = o.Stats.Published, time.Now()
		}
		if time.Since(since) >= steadyFor {
			return last, nil
		}
		if time.Now().After(deadline) {
			return last, errors.New("RabbitMQ's counter of messages does not come to rest")
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// pause waits. It returns the error of a context that ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
