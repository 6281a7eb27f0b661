// Package unit is the unit of work (Martin Fowler, Patterns of Enterprise Application Architecture, 2002) for many decisions
// at once: what they are about is loaded with one statement a table, each is made in memory, on what the ones before it have
// left, and what has changed is saved with one statement a table, in one transaction of a few round trips. Ten messages cost
// the database hardly more than one.
//
// Messages that have arrived, requests that are in hand at the same time, and answers of the world outside all become
// decisions. A decision that fails is left out and harms no other; only an error of the database has them made one by one.
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
)

// Work is a service's unit of work: an identity map of the rows that its decisions are about, and what they want written and
// sent. There is a new one for each transaction.
type Work interface {
	// Load locks the rows that have been named, and reads them. All transactions of a service lock in one order.
	Load(ctx context.Context, tx *postgres.Tx) error
	// Save queues what writes the changes. It may ask the database something, where what is to be written depends on it.
	Save(ctx context.Context, tx *postgres.Tx) error
}

// Decision is what somebody wants of a unit of work. Both functions may be called again, with another unit of work, when that
// of the first call was not committed: they must do nothing else.
type Decision[W Work] struct {
	Name func(w W)       // names the rows that the decision is about, before they are loaded
	Make func(w W) error // changes them, in memory; when it returns an error, it has changed nothing
}

const (
	// Within is the most that one transaction may take.
	Within = 10 * time.Second
	// Most is the most decisions that are made in one transaction.
	Most = 100

	transactions   = 2                      // of Do, at the same time: the second only beside one that is slow
	slow           = 100 * time.Millisecond // is a transaction that takes longer: it waits for a lock that somebody has
	waitingMost    = 1000                   // for them
	duplicatesMost = 3                      // attempts of a decision that finds that somebody else has just added the same row
)

// Office makes decisions.
type Office[W Work] struct {
	db   *postgres.DB
	log  *slog.Logger
	open func() W

	mu      sync.Mutex
	waiting []*request[W]
	lanes   int  // transactions of Do that are under way
	brisk   bool // one of them is not slow
}

// NewOffice returns an office whose units of work are made by open.
func NewOffice[W Work](db *postgres.DB, log *slog.Logger, open func() W) *Office[W] {
	return &Office[W]{db: db, log: log, open: open}
}

// Decide makes up to Most decisions in one transaction, or one by one if the database does not take them together. The i-th
// error is about the i-th decision: its own, or the database's, and either way it was not made. A transaction that was begun
// is finished although ctx has ended; no other begins then, and what is left has the error of ctx.
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
		case waited > 1 || postgres.Unavailable(err): // it would be the same with all of them
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

// together makes decisions in one transaction. The error is the database's, or a panic's, and then none of them was made.
func (o *Office[W]) together(ctx context.Context, all []Decision[W]) (errs []error, err error) {
	defer func() {
		if p := recover(); p != nil { // of one of them: it should be nobody else's, whose goroutine this is
			err = fmt.Errorf("panic: %v", p)
			o.log.ErrorContext(ctx, "a decision panics", "panic", p, "stack", string(debug.Stack()))
		}
	}()
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
