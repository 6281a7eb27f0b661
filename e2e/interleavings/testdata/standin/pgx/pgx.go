// Package pgx stands in for the transaction and the batch that handlers pass on to the store.
package pgx

import "example.com/orderflow/pkg/messages"

// Tx is a world while one step of it happens: nothing else happens meanwhile, and after an error all of it is forgotten.
type Tx interface {
	Send(msgs ...messages.Message)
}

// Batch is statements that are run when they are written.
type Batch struct{ queued []func(Tx) error }

// Queue adds a statement.
func (b *Batch) Queue(statement func(Tx) error) { b.queued = append(b.queued, statement) }

// Run runs them.
func (b *Batch) Run(tx Tx) error {
	for _, statement := range b.queued {
		if err := statement(tx); err != nil {
			return err
		}
	}
	*b = Batch{}
	return nil
}
