// Package postgres stands in for a transaction: one step of a world, while nothing else happens. After an error all of it is
// forgotten.
package postgres

import "context"

// Tx is a transaction on the tables of a world.
type Tx struct {
	World  any
	failed error
}

// Flush returns what has failed.
func (tx *Tx) Flush(context.Context) error { return tx.failed }

// Fail notes that the tables refuse something.
func (tx *Tx) Fail(err error) {
	if tx.failed == nil {
		tx.failed = err
	}
}

// Try runs fn: nobody else is there to come between.
func (tx *Tx) Try(_ context.Context, fn func() error) error { return fn() }

// OnCommit calls f: nothing comes between a decision and its commit that could be seen.
func (tx *Tx) OnCommit(f func()) { f() }

// OnRollback does nothing.
func (tx *Tx) OnRollback(func()) {}
