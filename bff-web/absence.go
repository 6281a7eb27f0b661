package main

import (
	"sync"
	"time"
)

// absence is that something could not be had. It is shown as such: "none" and "not known" are not the same.
type absence struct {
	Cause string
	Since time.Time // as this process has noticed
}

// forgetAbsence is how long after it was noticed last an absence counts as another one: nobody has looked meanwhile.
const forgetAbsence = 5 * time.Minute

// absences remembers since when things could not be had.
type absences struct {
	mu   sync.Mutex
	seen map[string]noticed
}

type noticed struct{ first, last time.Time }

// of is the absence that err stands for; nil for none, which ends it.
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
