package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"example.com/orderflow/local/bench/wire"
	"example.com/orderflow/local/servers"
)

// bare is one of the programs without business logic, on servers that are set up as the system's are.
type bare struct {
	postgres *servers.Postgres
	rabbit   *servers.RabbitMQ
	wire     *wire.Wire
}

func (p bare) place(ctx context.Context) (string, error)   { return p.wire.Place(ctx) }
func (p bare) ended(ctx context.Context, id string) error  { return p.wire.Ended(ctx, id) }
func (b *bench) floor(ctx context.Context, row *Row) error { return b.bare(ctx, row, wire.Batched) }
func (b *bench) naive(ctx context.Context, row *Row) error { return b.bare(ctx, row, wire.Single) }

// bareCallers is the number of concurrent orders: enough for full batches, and more than Single has workers.
var bareCallers = map[wire.Way]int{wire.Batched: 1024, wire.Single: 128}

// bare measures one of the programs: its highest throughput, and the latency of one order at a time.
func (b *bench) bare(ctx context.Context, row *Row, way wire.Way) (err error) {
	p, err := b.startBare(ctx, way)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	w, err := watch(ctx, p.postgres.URL)
	if err != nil {
		return err
	}
	defer w.close(ctx)
	row.Callers, row.Window = bareCallers[way], row.Window/3
	r := &rig{tell: b.tell}
	var began usage
	var handled int64
	var costs counters
	laps, err := r.loop(ctx, p, row.Callers, row.Window, func(begins bool) error {
		now := measure(p.members())
		counted, err := w.count(ctx)
		if begins {
			began, costs, handled = now, counted, p.wire.Handled()
			return err
		}
		row.CPU, row.Others = now.since(began, 1)
		row.Database = counted.since(costs, 0, 1)
		row.Published = float64(p.wire.Handled() - handled)
		row.Memory = memory(p.members())
		return err
	})
	if err != nil {
		return err
	}
	if row.Orders = len(laps.laps); row.Orders == 0 {
		return errors.New("no order has come to its end")
	}
	row.Rate = laps.rate()
	row.Accept, row.End = laps.quantiles()
	row.Published /= float64(row.Orders)
	row.each(float64(row.Orders))
	b.tell("%.0f orders/s for %s", row.Rate, row.Window)
	return p.alone(ctx, row)
}

// alone measures orders one after another.
func (p bare) alone(ctx context.Context, row *Row) error {
	var accepted, done []time.Duration
	length := row.Window / 4
	for began := time.Now(); time.Since(began) < length; {
		l, err := once(ctx, p)
		if err != nil {
			return err
		}
		accepted, done = append(accepted, l.accepted), append(done, l.done)
	}
	row.Alone = &Latency{Rate: float64(len(done)) / length.Seconds(), Orders: len(done), Accept: quantiles(accepted), End: quantiles(done)}
	return nil
}

func (b *bench) startBare(ctx context.Context, way wire.Way) (p bare, err error) {
	dir, err := b.folder()
	if err != nil {
		return p, err
	}
	p.postgres, err = servers.StartPostgres(ctx, servers.Options{Dir: filepath.Join(dir, "postgres"), Settings: databaseSettings})
	if err != nil {
		return p, err
	}
	p.rabbit, err = servers.StartRabbitMQ(ctx, servers.Options{Dir: filepath.Join(dir, "rabbitmq")})
	if err != nil {
		return p, errors.Join(err, p.stop())
	}
	options := wire.Options{Way: way, Broker: p.rabbit.URL, Databases: map[string]string{}}
	for _, service := range servers.Services() {
		if options.Databases[service], err = p.postgres.CreateDatabase(ctx, service, "benchmark"); err != nil {
			return p, errors.Join(err, p.stop())
		}
	}
	if p.wire, err = wire.Start(ctx, options); err != nil {
		return p, errors.Join(fmt.Errorf("start the program without business logic: %w", err), p.stop())
	}
	return p, nil
}

func (p bare) members() members {
	return members{"postgres": {p.postgres.Pid()}, "rabbitmq": {p.rabbit.Pid()}}
}

func (p bare) stop() error {
	if p.wire != nil {
		p.wire.Stop()
	}
	var failed []error
	if p.rabbit != nil {
		failed = append(failed, p.rabbit.Stop())
	}
	if p.postgres != nil {
		failed = append(failed, p.postgres.Stop())
	}
	return errors.Join(failed...)
}
