// Package unit replaces the unit of work: it makes one decision at a time. The tests of each service show that decisions made
// together have the same result.
package unit

import (
	"context"

	"example.com/orderflow/e2e/interleavings/testdata/standin/postgres"
	"example.com/orderflow/pkg/unit"
)

// Rows is the real one.
type Rows[K ~string, R any] = unit.Rows[K, R]

// Work is a service's unit of work.
type Work interface {
	Load(ctx context.Context, tx *postgres.Tx) error
	Save(ctx context.Context, tx *postgres.Tx) error
}

// Decision is a decision.
type Decision[W Work] struct {
	Name func(w W)
	Make func(w W) error
}

// Office makes decisions on the tables of a world.
type Office[W Work] struct {
	World any
	Open  func() W
}

// Do makes a decision.
func (o *Office[W]) Do(ctx context.Context, d Decision[W]) error {
	tx, w := &postgres.Tx{World: o.World}, o.Open()
	d.Name(w)
	if err := w.Load(ctx, tx); err != nil {
		return err
	}
	if err := d.Make(w); err != nil {
		return err
	}
	if err := w.Save(ctx, tx); err != nil {
		return err
	}
	return tx.Flush(ctx)
}
