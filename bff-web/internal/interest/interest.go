// Package interest runs something only while somebody looks.
package interest

import (
	"context"
	"sync"
	"time"
)

// Interest starts something that costs too much to run always, while somebody looks, and stops it some time after the last
// look.
type Interest struct {
	Want   func(bool)  // starts and stops it; nil: it cannot be had
	needed func() bool // whether it must go on although nobody has looked lately
	rest   *time.Timer

	showing sync.Mutex
	wanted  bool
	last    time.Time // when somebody looked last
	here    bool
	arrived chan struct{} // closed while it is here
}

// LookLasts is how long it goes on after the last look: as long as the console counts back.
const LookLasts = 15 * time.Minute

// AttendWithin is how long a request waits at most until it has started. Without RabbitMQ it does not.
const AttendWithin = 250 * time.Millisecond

// NewInterest is not there until somebody looks. needed reports whether it must go on although nobody has looked lately.
func NewInterest(needed func() bool) Interest {
	return Interest{needed: needed, arrived: make(chan struct{})}
}

// Show says that somebody looks, and waits until it has started, at most attendWithin. begin is called if nobody has looked
// for a long time.
func (i *Interest) Show(ctx context.Context, begin func()) {
	if i.Want == nil {
		return
	}
	i.showing.Lock()
	if !i.wanted {
		i.wanted = true
		begin()
	}
	i.last = time.Now()
	i.Want(true)
	if i.rest == nil {
		i.rest = time.AfterFunc(LookLasts, i.tire)
	}
	i.rest.Reset(LookLasts)
	arrived := i.arrived
	i.showing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, AttendWithin)
	defer cancel()
	select {
	case <-arrived:
	case <-ctx.Done():
	}
}

// Came says that it has started or stopped.
func (i *Interest) Came(now bool) {
	i.showing.Lock()
	defer i.showing.Unlock()
	switch {
	case now == i.here:
	case now:
		close(i.arrived)
	default:
		i.arrived = make(chan struct{})
	}
	i.here = now
}

// tire stops it, unless it is needed.
func (i *Interest) tire() {
	i.showing.Lock()
	defer i.showing.Unlock()
	switch {
	case time.Since(i.last) < LookLasts: // somebody has looked just now
	case i.needed():
		i.rest.Reset(LookLasts)
	case i.wanted:
		i.wanted = false
		i.Want(false)
	}
}
