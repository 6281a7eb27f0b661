package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/system"
)

// rig is a running system that is measured, with the connections that observe it.
type rig struct {
	*system.System
	repo    string
	tell    func(format string, args ...any)
	shopper *shopper
	follow  *follower
	watch   watcher
	orders  *pgx.Conn // a superuser's connection to the database of orders
	sources audit.Sources

	stopFollowing context.CancelFunc
}

// settings of all programs: none of them limits the load, and the carrier delivers at once, so that an order's time is
// Orderflow's own.
var settings = map[string][]string{
	"":          {"LOG_LEVEL=warn"},
	"gateway":   {"RATE_PER_ADDRESS=0", "RATE_PER_CALLER=0", "CONCURRENCY_LEAST=2000", "CONCURRENCY_MOST=20000", "CONCURRENCY_FIRST=2000"},
	"simulator": {"CARRIER_PACE=0s"},
}

// stockUnits is more than a row can sell.
const stockUnits = 5_000_000

// startRig starts a system in an empty folder, with the same settings for each row except those in further.
func (b *bench) startRig(ctx context.Context, replicas int, units int, further map[string][]string) (*rig, error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	env := maps.Clone(settings)
	for program, more := range further {
		env[program] = slices.Concat(env[program], more)
	}
	began := time.Now()
	s, err := system.Start(ctx, system.Options{
		Dir: dir, Binaries: b.binaries, Replicas: system.Each(replicas), Env: env, PostgresSettings: databaseSettings,
	})
	if err != nil {
		return nil, err
	}
	r := &rig{System: s, repo: b.options.Repo, tell: b.tell, sources: audit.Of(s, b.options.Repo)}
	if err := r.open(ctx, units); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	b.tell("the system runs after %.0f s", time.Since(began).Seconds())
	return r, nil
}

func (r *rig) open(ctx context.Context, units int) (err error) {
	if err := r.expect(ctx); err != nil {
		return err
	}
	if r.watch, err = watch(ctx, r.Databases.URL); err != nil {
		return err
	}
	if r.orders, err = connectTo(ctx, r.Databases.URL, "orders"); err != nil {
		return err
	}
	if r.follow, err = newFollower(ctx, r.Databases.URL, "orders"); err != nil {
		return err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stopFollowing = stop
	go r.follow.run(life)
	r.shopper, err = openShopper(ctx, r.GatewayURL, units, r.follow)
	return err
}

// expect checks that the tables have the columns that the benchmark reads, so that a change is reported and not measured wrongly.
func (r *rig) expect(ctx context.Context) error {
	conn, err := connectTo(ctx, r.Databases.URL, "orders")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it has only read
	for table, columns := range map[string][]string{"orders": {"id", "status"}, "timeline": {"order_id", "status"}} {
		there, err := columnsOf(ctx, conn, table)
		if err != nil {
			return err
		}
		for _, name := range columns {
			if !slices.ContainsFunc(there, func(c column) bool { return c.Name == name }) {
				return fmt.Errorf("the benchmark reads %s.%s of orders' database, which is not there: see local/bench/follow.go", table, name)
			}
		}
	}
	return nil
}

// stop ends the system. Its folder is removed when the next row starts.
func (r *rig) stop() error {
	if r.stopFollowing != nil {
		r.stopFollowing()
		<-r.follow.over
	}
	if r.orders != nil {
		_ = r.orders.Close(context.Background()) // it has only read
	}
	if r.watch.conn != nil {
		r.watch.close(context.Background())
	}
	return r.Stop()
}

// members are the system's processes, by program.
func (r *rig) members() members {
	m := members{}
	for _, part := range r.Parts() {
		if pid := part.Pid(); pid != 0 {
			name := strings.TrimRight(strings.TrimRight(part.Name, "0123456789"), "-")
			m[name] = append(m[name], pid)
		}
	}
	return m
}

// restWithin bounds the time until all orders have ended after the last one was placed.
const restWithin = 10 * time.Minute

// bookWithin bounds the time until the books agree after the last order.
const bookWithin = 2 * time.Minute

// audited waits until the system is at rest and audits it. Breaches are an error. If the tables contain orders of the past,
// only the others are audited.
func (r *rig) audited(ctx context.Context, row *Row) error {
	if _, err := rest(ctx, r.orders, restWithin); err != nil {
		return err
	}
	r.tell("the books are held against each other")
	for began := time.Now(); ; {
		sources, err := r.sources, error(nil)
		if row.History > 0 {
			sources, err = r.present(ctx)
		}
		if err != nil {
			return err
		}
		report, err := audit.Look(ctx, sources, audit.Expectations{})
		if err != nil {
			return err
		}
		if report.OK() || time.Since(began) > bookWithin {
			row.Audit = report.Summary()
			return report.Err()
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// folder makes a new folder for a row's data and removes the previous one.
func (b *bench) folder() (string, error) {
	if err := b.clear(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(b.data(), 0o750); err != nil {
		return "", fmt.Errorf("folder of the data: %w", err)
	}
	return b.data(), nil
}

func (b *bench) clear() error {
	if err := os.RemoveAll(b.data()); err != nil {
		return fmt.Errorf("remove the data of the last row: %w", err)
	}
	return nil
}
