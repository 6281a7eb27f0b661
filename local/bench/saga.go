package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// callersOf are the numbers of callers that are tried in the closed loop, until more callers no longer help.
var callersOf = []int{32, 64, 128, 256, 512, 1024}

// better is the factor by which the next number of callers has to raise the rate to be worth its latency.
const better = 1.05

// saturate returns how many callers keep the system busy. Each number is tried for a quarter of the window.
func (r *rig) saturate(ctx context.Context, t target, length time.Duration) (callers int, err error) {
	best := 0.0
	for _, n := range callersOf {
		w, err := r.loop(ctx, t, n, length/4, nil)
		if err != nil {
			return 0, err
		}
		rate := w.rate()
		r.tell("%d callers: %.0f orders/s", n, rate)
		if rate < best*better {
			break
		}
		best, callers = rate, n
	}
	if callers == 0 {
		return 0, errors.New("no order has come to its end")
	}
	return callers, nil
}

// loop runs a closed loop for a while after warming up. between is called at the beginning and at the end of the window.
func (r *rig) loop(ctx context.Context, t target, callers int, length time.Duration, between func(begins bool) error) (*window, error) {
	w := &window{}
	loop, stop := context.WithCancel(ctx)
	defer stop()
	marked := make(chan error, 1)
	go func() {
		defer stop()
		marked <- w.mark(loop, callers, length, between)
	}()
	err := closed(loop, t, callers, w.add)
	stop()
	if failed := <-marked; err == nil {
		err = failed
	}
	return w, err
}

// mark begins the window when the loop is warm, and ends it.
func (w *window) mark(ctx context.Context, callers int, length time.Duration, between func(begins bool) error) error {
	if between == nil {
		between = func(bool) error { return nil }
	}
	if err := w.warm(ctx, callers); err != nil {
		return err
	}
	if err := between(true); err != nil {
		return err
	}
	w.begin()
	if err := pause(ctx, length); err != nil {
		return err
	}
	w.end()
	return between(false)
}

// full measures the closed loop with all costs of an order. Messages are counted over all its orders, including those before
// and after the window, because RabbitMQ counts only every few seconds.
func (r *rig) full(ctx context.Context, row *Row) error {
	before, err := published(ctx, r.Broker)
	if err != nil {
		return err
	}
	had, err := r.countOrders(ctx)
	if err != nil {
		return err
	}
	var use usage
	var costs counters
	var own int64
	w, err := r.loop(ctx, r.shopper, row.Callers, row.Window, func(begins bool) error {
		now, asked := measure(r.members()), r.follow.own.Load()
		counted, err := r.watch.count(ctx)
		if begins {
			use, costs, own = now, counted, asked
			return err
		}
		row.Memory = memory(r.members())
		row.CPU, row.Others = now.since(use, 1)
		row.Database = counted.since(costs, asked-own, 1)
		return err
	})
	if err != nil {
		return err
	}
	row.Orders = len(w.laps)
	if row.Orders == 0 {
		return errors.New("no order has come to its end")
	}
	row.Rate = w.rate()
	row.each(float64(row.Orders))
	if _, err := rest(ctx, r.orders, restWithin); err != nil {
		return err
	}
	if row.Accept, row.End, err = r.judgeLaps(ctx, w.laps); err != nil {
		return err
	}
	after, err := published(ctx, r.Broker)
	if err != nil {
		return err
	}
	have, err := r.countOrders(ctx)
	if err != nil {
		return err
	}
	row.Published = float64(after-before) / float64(have-had)
	r.tell("%d callers: %.0f orders/s for %s", row.Callers, row.Rate, row.Window)
	return nil
}

// each divides the usage in the window by the number of its orders.
func (row *Row) each(orders float64) {
	for program := range row.CPU {
		row.CPU[program] /= orders
	}
	d := &row.Database
	d.Statements, d.Commits, d.Syncs, d.KB = d.Statements/orders, d.Commits/orders, d.Syncs/orders, d.KB/orders
}

func (r *rig) countOrders(ctx context.Context) (n int64, err error) {
	if err := r.orders.QueryRow(ctx, `SELECT count(*) FROM orders`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count orders: %w", err)
	}
	return n, nil
}

// atShare measures how long orders take at a share of the closed loop's rate.
func (r *rig) atShare(ctx context.Context, row *Row, share float64, length time.Duration) error {
	rate := share * row.Rate
	due := gaps(row.Seed, rate, length)
	if len(due) == 0 {
		return fmt.Errorf("at %.2f orders/s none arrives within %s: the system has hardly moved, or the measurement is too short", rate, length)
	}
	arrivals := open(ctx, r.shopper, due)
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := rest(ctx, r.orders, restWithin); err != nil {
		return err
	}
	l, err := r.judge(ctx, arrivals)
	if err != nil {
		return err
	}
	l.Share, l.Rate = share, float64(len(due))/length.Seconds()
	row.Loads = append(row.Loads, l)
	r.tell("%.0f orders/s (%.0f%%): accepted after %.0f ms, p99 %.0f ms; delivered after %.0f ms, p99 %.0f ms", l.Rate, 100*share, l.Accept.P50, l.Accept.P99, l.End.P50, l.End.P99)
	return nil
}

// alone measures orders one after another, without other load.
func (r *rig) alone(ctx context.Context, row *Row, length time.Duration) error {
	var arrivals []arrival
	began := time.Now()
	for time.Since(began) < length {
		a := arrival{due: time.Now()}
		a.id, a.err = r.shopper.place(ctx)
		a.accepted = time.Since(a.due)
		if a.err == nil {
			a.err = r.shopper.ended(ctx, a.id)
		}
		if a.err != nil {
			return a.err
		}
		arrivals = append(arrivals, a)
	}
	l, err := r.judge(ctx, arrivals)
	if err != nil {
		return err
	}
	l.Rate = float64(l.Orders) / length.Seconds()
	row.Alone = &l
	r.tell("one at a time: accepted after %.1f ms, delivered after %.0f ms", l.Accept.P50, l.End.P50)
	return nil
}

// judgeLaps returns how long the orders of a closed loop took, by PostgreSQL's commit times of their ends.
func (r *rig) judgeLaps(ctx context.Context, laps []lap) (accept, end Quantiles, err error) {
	arrivals := make([]arrival, len(laps))
	for i, l := range laps {
		arrivals[i] = arrival{due: l.began, id: l.id, accepted: l.accepted}
	}
	l, err := r.judge(ctx, arrivals)
	return l.Accept, l.End, err
}

// judge looks up when the orders were delivered. It is an error if an accepted order was not.
func (r *rig) judge(ctx context.Context, arrivals []arrival) (l Latency, err error) {
	var ids []string
	for _, a := range arrivals {
		if a.err == nil {
			ids = append(ids, a.id)
		}
	}
	at, err := delivered(ctx, r.orders, ids)
	if err != nil {
		return l, err
	}
	var accepted, ended []time.Duration
	var why error
	for _, a := range arrivals {
		if a.err != nil {
			l.Refused++
			why = a.err
			continue
		}
		when, ok := at[a.id]
		if !ok {
			return l, fmt.Errorf("order %s is not delivered, or PostgreSQL has forgotten when", a.id)
		}
		accepted, ended = append(accepted, a.accepted), append(ended, when.Sub(a.due))
	}
	if l.Orders = len(ended); l.Orders == 0 {
		return l, fmt.Errorf("no order was accepted: %w", why)
	}
	if l.Refused > 0 {
		r.tell("%d orders were refused, the last one because: %v", l.Refused, why)
	}
	l.Accept, l.End = quantiles(accepted), quantiles(ended)
	return l, nil
}
