package upstream

import (
	"log/slog"
	"sync"
	"time"
)

// Absence is a piece of data that a page could not get. Pages show it, because "none" and "not known" are not the same.
type Absence struct {
	Cause string
	Since time.Time // when this process noticed it first
}

// forgetAbsence is the time without a request after which an absence counts as a new one.
const forgetAbsence = 5 * time.Minute

// Absences remembers since when data has been missing.
type Absences struct {
	log  *slog.Logger
	mu   sync.Mutex
	seen map[string]noticed
}

// NewAbsences remembers nothing yet.
func NewAbsences(log *slog.Logger) *Absences { return &Absences{log: log} }

type noticed struct{ first, last time.Time }

// Of returns the absence for err. A nil err ends the absence, and Of returns nil.
func (a *Absences) Of(what string, err error, now time.Time) *Absence {
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
	cause := ReasonOf(err)
	if cause == "" {
		cause = what + " does not answer"
	}
	return &Absence{cause, n.first}
}
