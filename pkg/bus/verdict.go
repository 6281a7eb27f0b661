package bus

import (
	"errors"
	"time"
)

// A handler's error is its instruction. These are all instructions:
//
//	nil             done
//	any error       try again with exponential back-off, then dead-letter
//	RetryIn(d, err) not yet: ask again in about d; does not count as an attempt
//	Reject(err)     never: dead-letter now
//	Hold(err)       nothing is wrong with the message, the receiver cannot work: keep it and hand it over again

type retryError struct {
	in  time.Duration
	err error
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// RetryIn tells the consumer to deliver the message again after about d (at most the longest retry delay).
func RetryIn(d time.Duration, err error) error { return &retryError{d, err} }

type rejectError struct{ err error }

func (e *rejectError) Error() string { return e.err.Error() }
func (e *rejectError) Unwrap() error { return e.err }

// Reject tells the consumer to dead-letter the message at once, because no further attempt can succeed.
func Reject(err error) error { return &rejectError{err} }

// Rejected reports whether err is, or wraps, a Reject.
func Rejected(err error) bool {
	_, ok := errors.AsType[*rejectError](err)
	return ok
}

type holdError struct{ err error }

func (e *holdError) Error() string { return e.err.Error() }
func (e *holdError) Unwrap() error { return e.err }

// Hold tells the consumer that the receiver itself cannot work now, for example because its database is away. The message
// keeps its place and its attempts, nothing else is taken from the queue, and the whole batch is handed over again after a
// while.
func Hold(err error) error { return &holdError{err} }

func held(errs []error) error {
	for _, err := range errs {
		if IsHold(err) {
			return err
		}
	}
	return nil
}

// IsHold reports whether err is, or wraps, a Hold.
func IsHold(err error) bool {
	_, ok := errors.AsType[*holdError](err)
	return ok
}
