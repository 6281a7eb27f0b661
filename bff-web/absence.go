package main

import (
	"sync"
	"time"
)

// absence is a piece of data that a page could not get. Pages show it, because "none" and "not known" are not the same.
type absence struct {
	Cause string
	Since time.Time // when this process noticed it first
}

// forgetAbsence is the time without a request after which an absence counts as a new one.
const forgetAbsence = 5 * time.Minute

// absences remembers since when data has been missing.
type absences struct {
	mu   sync.Mutex
	seen map[string]noticed
}

type noticed struct{ first, last time.Time }

// of returns the absence for err. A nil err ends the absence, and of returns nil.
func (a *absences) of(what string, err error, now time.Time) *absence {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.seen, what)
		return nil
	}
	n := a.seen[what]
	if now.Sub(n.last) > forgetAbsence {
		n.first = now
	}
	n.last = now
	if a.seen == nil {
		a.seen = map[string]noticed{}
	}
	a.seen[what] = n
	cause := reasonOf(err)
	if cause == "" {
		cause = what + " does not answer"
	}
	return &absence{cause, n.first}
}
