// Package bus replaces the only verdict that handlers give.
package bus

// Reject makes a dead letter. In the model, each one is a mistake.
func Reject(err error) error { return err }
