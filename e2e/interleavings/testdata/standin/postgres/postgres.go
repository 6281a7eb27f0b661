// Package postgres replaces a transaction by one step of a world, during which nothing else happens. After an error the whole
// step is undone.
package postgres

import "context"

// Tx is a transaction on the tables of a world.
type Tx struct {
	World  any
	failed error
}

// Flush returns the error of Fail.
func (tx *Tx) Flush(context.Context) error { return tx.failed }

// Fail records that a table refuses a row.
func (tx *Tx) Fail(err error) {
	if tx.failed == nil {
		tx.failed = err
	}
}

// Try runs fn: there are no concurrent transactions.
func (tx *Tx) Try(_ context.Context, fn func() error) error { return fn() }

// OnCommit calls f at once: nothing can happen between a decision and its commit.
func (tx *Tx) OnCommit(f func()) { f() }

// OnRollback does nothing.
func (tx *Tx) OnRollback(func()) {}
