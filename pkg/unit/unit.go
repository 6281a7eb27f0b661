// Package unit is the unit of work (Martin Fowler, Patterns of Enterprise Application Architecture, 2002) for many
// decisions at once. The rows that they are about are loaded with one statement a table. Each decision is made in memory,
// on the rows as the decisions before it have left them. The changes are saved with one statement a table, in one
// transaction of a few round trips. Ten messages cost the database hardly more than one.
//
// Messages that have arrived, requests that are in hand at the same time, and answers of the world outside all become
// decisions. A decision that fails is left out and harms no other. Only after an error of the database are they made one by
// one.
package unit

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/telemetry"
)

// Work is a service's unit of work: an identity map of the rows that its decisions are about, with what they want written
// and sent. There is a new one for each transaction.
type Work interface {
	// Load locks the named rows, and reads them. All transactions of a service lock in the same order.
	Load(ctx context.Context, tx *postgres.Tx) error
	// Save queues statements that write the changes. It may query the database when the changes depend on the result.
	Save(ctx context.Context, tx *postgres.Tx) error
}

// Decision is a change that is wanted of a unit of work. Both functions may be called again, with another unit of work,
// when the transaction of the first call was not committed. So they must do nothing else.
type Decision[W Work] struct {
	Name func(w W)       // names the rows that the decision is about, before they are loaded
	Make func(w W) error // changes them, in memory; when it returns an error, it has changed nothing
}

const (
	// Within is the most that one transaction may take.
	Within = 10 * time.Second
	// Most is the most decisions that are made in one transaction.
	Most = 100

	transactions   = 2                      // of Do, at the same time; a second one begins only beside a slow one
	slow           = 100 * time.Millisecond // a transaction that takes longer is slow: it waits for a lock of another transaction
	waitingMost    = 1000                   // decisions that wait for a transaction of Do
	duplicatesMost = 3                      // attempts of a decision when another transaction has just added the same row
)

// Office makes the decisions of a service, many in one transaction.
type Office[W Work] struct {
	db   *postgres.DB
	log  *slog.Logger
	open func() W
	took *telemetry.Histogram
	size *telemetry.Histogram

	mu      sync.Mutex
	waiting []*request[W]
	lanes   int  // transactions of Do that are under way
	brisk   bool // one of them is not slow
}

// NewOffice returns an office. open makes a unit of work.
func NewOffice[W Work](db *postgres.DB, log *slog.Logger, open func() W) *Office[W] {
	return &Office[W]{
		db: db, log: log, open: open,
		took: telemetry.NewHistogram("unit_duration", "s", "How long a unit of work took, from its first statement to the commit or the error, by outcome.", telemetry.Seconds, "outcome"),
		size: telemetry.NewHistogram("unit_decisions", "", "Decisions that were made in one transaction, by outcome.", telemetry.Sizes, "outcome"),
	}
}

// Decide makes up to Most decisions in one transaction, or one by one if the database refuses them together. The i-th error
// belongs to the i-th decision, its own or the database's; in both cases the decision was not made. When ctx ends, a
// transaction that has begun is finished. No other one begins, and the decisions that are left get the error of ctx.
func (o *Office[W]) Decide(ctx context.Context, all []Decision[W]) []error {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return []error{o.alone(ctx, all[0])}
	}
	errs, err := o.together(ctx, all)
	if err == nil {
		return errs
	}
	o.log.WarnContext(ctx, "the database does not take a batch, its parts are tried one by one", "decisions", len(all), "error", err)
	failpoint.At("unit.divided")
	errs = make([]error, len(all))
	waited := 0
	for i, d := range all {
		switch {
		case ctx.Err() != nil:
			errs[i] = context.Cause(ctx)
		case waited > 1 || postgres.Unavailable(err): // it would be the same with each of them
			errs[i] = err
		default:
			if errs[i] = o.alone(ctx, d); postgres.Unavailable(errs[i]) || postgres.Waited(errs[i]) {
				err = errs[i]
				waited++
			}
		}
	}
	return errs
}

func (o *Office[W]) alone(ctx context.Context, d Decision[W]) error {
	for attempt := 1; ; attempt++ {
		errs, err := o.together(ctx, []Decision[W]{d})
		switch {
		case err == nil:
			return errs[0]
		case attempt == duplicatesMost, ctx.Err() != nil, !postgres.Duplicate(err):
			return err
		}
	}
}

// together makes decisions in one transaction. The error is the database's, or that of a panic; then none of them was made.
func (o *Office[W]) together(ctx context.Context, all []Decision[W]) (errs []error, err error) {
	defer func() {
		if p := recover(); p != nil { // of one decision: it must not end the goroutine, which is another caller's
			err = fmt.Errorf("panic: %v", p)
			o.log.ErrorContext(ctx, "a decision panics", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	begun := time.Now()
	defer func() { o.measure(ctx, len(all), time.Since(begun), err) }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Within)
	defer cancel()
	err = o.db.Tx(ctx, func(tx *postgres.Tx) error {
		w := o.open()
		errs = make([]error, len(all))
		for _, d := range all {
			d.Name(w)
		}
		failpoint.At("unit.begun")
		if err := w.Load(ctx, tx); err != nil {
			return err
		}
		failpoint.At("unit.loaded")
		for i, d := range all {
			errs[i] = d.Make(w)
		}
		return w.Save(ctx, tx)
	})
	return errs, err
}

// measure counts a transaction. The cost is the same for one decision and for many.
func (o *Office[W]) measure(ctx context.Context, decisions int, took time.Duration, err error) {
	outcome := "committed"
	if err != nil {
		outcome = "failed"
	}
	o.took.Measure(ctx, took.Seconds(), outcome)
	o.size.Measure(ctx, float64(decisions), outcome)
}
