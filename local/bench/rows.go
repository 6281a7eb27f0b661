package bench

import (
	"context"
	"errors"
	"time"
)

// shares of the closed loop's rate at which orders arrive in the open loops.
var shares = []float64{0.1, 0.5, 0.9}

// saga is the row that measures everything.
func (b *bench) saga(ctx context.Context, row *Row) error {
	return b.onRig(ctx, row, 1, func(r *rig) (err error) {
		if row.Callers, err = r.saturate(ctx, r.shopper, row.Window); err != nil {
			return err
		}
		if err := r.full(ctx, row); err != nil {
			return err
		}
		for _, share := range shares {
			if err := r.atShare(ctx, row, share, row.Window/2); err != nil {
				return err
			}
		}
		return r.alone(ctx, row, row.Window/6)
	})
}

// past measures the closed loop, and half of its rate, with orders of the past in the tables.
func (b *bench) past(ctx context.Context, row *Row, orders int) error {
	return b.onRig(ctx, row, 1, func(r *rig) error {
		if err := r.fill(ctx, row, orders); err != nil {
			return err
		}
		return b.compared(ctx, row, r)
	})
}

// replicated measures the same with several replicas of each program that can have them.
func (b *bench) replicated(ctx context.Context, row *Row, replicas int) error {
	row.Replicas = replicas
	return b.onRig(ctx, row, replicas, func(r *rig) error { return b.compared(ctx, row, r) })
}

// compared measures a row for comparison with the row saga: for half as long, with as many callers.
func (b *bench) compared(ctx context.Context, row *Row, r *rig) (err error) {
	if before := b.results.Row("saga"); before != nil {
		row.Callers = before.Callers
	} else if row.Callers, err = r.saturate(ctx, r.shopper, row.Window); err != nil {
		return err
	}
	row.Window /= 2
	if err := r.full(ctx, row); err != nil {
		return err
	}
	return r.atShare(ctx, row, 0.5, row.Window/2)
}

// piledUp measures a queue that has grown while its service was stopped.
func (b *bench) piledUp(ctx context.Context, row *Row) error {
	r, err := b.soldOut(ctx)
	if err != nil {
		return err
	}
	err = r.backlog(ctx, row, b.options.Backlog)
	if err == nil {
		err = r.audited(ctx, row)
	}
	return errors.Join(err, r.stop())
}

// onRig measures something on a new system, then audits and stops it.
func (b *bench) onRig(ctx context.Context, row *Row, replicas int, measure func(*rig) error) error {
	r, err := b.startRig(ctx, replicas, stockUnits, nil)
	if err != nil {
		return err
	}
	b.versions(ctx, r)
	err = measure(r)
	if err == nil {
		err = r.audited(ctx, row)
	}
	return errors.Join(err, r.stop())
}

// versions records the servers' versions. A row is measured even if they cannot be determined.
func (b *bench) versions(ctx context.Context, r *rig) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	o, err := readOverview(ctx, r.Broker)
	if err != nil {
		return
	}
	if pg, rabbit, err := serverVersions(ctx, r.Databases.URL, o); err == nil {
		b.results.Machine.PostgreSQL, b.results.Machine.RabbitMQ = pg, rabbit
	}
}
