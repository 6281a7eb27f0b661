// Package bus stands in for the one verdict that handlers give.
package bus

// Reject makes a dead letter. The model has none that is not a mistake.
func Reject(err error) error { return err }
