package main

import (
	"context"
	"sync"
	"time"
)

// interest starts something that costs too much to run always, while somebody looks, and stops it some time after the last
// look.
type interest struct {
	want   func(bool)  // starts and stops it; nil: it cannot be had
	needed func() bool // whether it must go on although nobody has looked lately
	rest   *time.Timer

	showing sync.Mutex
	wanted  bool
	last    time.Time // when somebody looked last
	here    bool
	arrived chan struct{} // closed while it is here
}

// lookLasts is how long it goes on after the last look: as long as the console counts back.
const lookLasts = 15 * time.Minute

// attendWithin is how long a request waits at most until it has started. Without RabbitMQ it does not.
const attendWithin = 250 * time.Millisecond

func newInterest(needed func() bool) interest {
	return interest{needed: needed, arrived: make(chan struct{})}
}

// show says that somebody looks, and waits until it has started, at most attendWithin. begin is called if nobody has looked
// for a long time.
func (i *interest) show(ctx context.Context, begin func()) {
	if i.want == nil {
		return
	}
	i.showing.Lock()
	if !i.wanted {
		i.wanted = true
		begin()
	}
	i.last = time.Now()
	i.want(true)
	if i.rest == nil {
		i.rest = time.AfterFunc(lookLasts, i.tire)
	}
	i.rest.Reset(lookLasts)
	arrived := i.arrived
	i.showing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, attendWithin)
	defer cancel()
	select {
	case <-arrived:
	case <-ctx.Done():
	}
}

// came says that it has started or stopped.
func (i *interest) came(now bool) {
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
func (i *interest) tire() {
	i.showing.Lock()
	defer i.showing.Unlock()
	switch {
	case time.Since(i.last) < lookLasts: // somebody has looked just now
	case i.needed():
		i.rest.Reset(lookLasts)
	case i.wanted:
		i.wanted = false
		i.want(false)
	}
}
