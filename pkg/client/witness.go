package client

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"example.com/orderflow/pkg/telemetry"
)

// Attempt is what a caller may keep of an attempt that was sent.
type Attempt struct {
	At      time.Time `json:"at"`      // when it began
	Took    int64     `json:"took_ms"` // until the answer began, in ms
	What    string    `json:"what"`    // method and path, such as POST /charges
	Outcome string    `json:"outcome"` // the status of the answer, or why there was none, such as timeout
}

// attemptsMost is how many attempts are kept. A caller that tries for days keeps the last ones.
const attemptsMost = 20

type witnessKey struct{}

// witness has the attempts of all calls that were made with its context.
type witness struct {
	mu   sync.Mutex
	made []Attempt
}

// Witness returns a context for calls whose attempts the caller wants to keep.
func Witness(ctx context.Context) context.Context {
	return context.WithValue(ctx, witnessKey{}, &witness{})
}

// Attempts returns earlier attempts, followed by those that were made with a context of Witness: the last 20 of them.
func Attempts(ctx context.Context, earlier []Attempt) []Attempt {
	w, ok := ctx.Value(witnessKey{}).(*witness)
	if !ok {
		return earlier
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Concat(earlier, w.made)
	return all[max(0, len(all)-attemptsMost):]
}

// keep adds an attempt that has just ended, if the caller wants to keep it.
func (c *call) keep(took time.Duration, about telemetry.Request) {
	w, ok := c.request.Context().Value(witnessKey{}).(*witness)
	if !ok {
		return
	}
	outcome := about.Failed
	if outcome == "" {
		outcome = strconv.Itoa(about.Status)
	}
	begun := time.Now().Add(-took).UTC().Truncate(time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made = append(w.made, Attempt{begun, took.Milliseconds(), c.request.Method + " " + c.request.URL.Path, outcome})
}
