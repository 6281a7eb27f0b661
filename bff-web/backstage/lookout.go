// Package backstage is a live picture of the whole system: its programs, queues and messages, for operators.
package backstage

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/wait"
)

const (
	queuesEvery   = 500 * time.Millisecond
	programsEvery = 2 * time.Second
	queuesWithin  = 5 * time.Second  // for one look at all queues
	missingEvery  = 4                // looks at the queues until it is asked for missing ones again
	restAfter     = 10 * time.Second // how long it goes on after the last viewer, who may only load the page again
	firstWithin   = 2 * time.Second  // how long a page waits at most until everything was looked at once
)

// Lookout looks at the whole system while somebody watches, once for all who watch. While nobody does, it has no goroutine,
// asks nobody, and does not tap.
type Lookout struct {
	checkUp  func(context.Context) []health.Health
	inspect  func() inspector                         // nil: there is no broker to ask
	Tap      func(func([]bus.Passage)) (leave func()) // nil: there is no wire tap
	absent   func(what string, err error, now time.Time) *upstream.Absence
	listens  func(kind string) bool
	services []string
	ending   context.Context //nolint:containedctx // the collection ends with the streams of the process

	mu      sync.Mutex
	viewers int
	left    time.Time          // when the last one left
	stop    context.CancelFunc // ends the collection; nil: there is none
	whole   chan struct{}      // closed when everything was looked at once
	outlook *outlook
	now     frame
	full    []byte // now, for viewers who have seen nothing or have missed something
	changes []byte // what of now differs from the frame before
	turn    int    // of now
	next    chan struct{}
}

// inspector tells the state of queues.
type inspector interface {
	Queues(ctx context.Context, names ...string) ([]bus.QueueState, error)
	Close()
}

// enter counts a viewer until leave is called. The first one starts the collection.
func (l *Lookout) enter() (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.viewers++
	if l.stop == nil {
		ctx, stop := context.WithCancel(l.ending)
		l.stop, l.outlook, l.now, l.turn = stop, newOutlook(l.services, l.listens, l.Tap != nil), nil, 0
		l.whole, l.next = make(chan struct{}), make(chan struct{})
		go l.collect(ctx, l.outlook.traffic)
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.viewers--; l.viewers == 0 {
			l.left = time.Now()
			time.AfterFunc(restAfter, l.tire)
		}
	})
}

// tire ends the collection, unless somebody has come meanwhile.
func (l *Lookout) tire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.viewers == 0 && l.stop != nil && time.Since(l.left) >= restAfter {
		l.stop()
		l.stop = nil
	}
}

// collect looks until ctx ends. A program or a broker that does not answer holds up only itself.
func (l *Lookout) collect(ctx context.Context, t *traffic) {
	if l.Tap != nil {
		defer l.Tap(t.pass)()
	}
	var looking sync.WaitGroup
	looking.Go(func() {
		for more := true; more; more = wait.For(ctx, programsEvery) {
			found := l.checkUp(ctx)
			t.programs(found)
			l.saw(ctx, func(s *outlook) { s.programs = found })
		}
	})
	looking.Go(func() { l.watchQueues(ctx, t) })
	looking.Wait()
}

func (l *Lookout) watchQueues(ctx context.Context, t *traffic) {
	if l.inspect == nil {
		away := l.absent("RabbitMQ", health.ErrNoBroker, time.Now())
		l.saw(ctx, func(s *outlook) { s.unasked = away })
		return
	}
	asked := l.inspect()
	defer asked.Close()
	known := map[string]bus.QueueState{}
	for n, more := 0, true; more; n, more = n+1, wait.For(ctx, queuesEvery) {
		within, enough := context.WithTimeout(ctx, queuesWithin)
		var names []string
		for _, name := range queuesOf(l.services) {
			if n%missingEvery == 0 || !known[name].Missing {
				names = append(names, name)
			}
		}
		states, err := asked.Queues(within, names...)
		enough()
		for _, s := range states {
			known[s.Name] = s
		}
		if err == nil {
			t.queues(known)
		}
		away, seen := l.absent("RabbitMQ", err, time.Now()), maps.Clone(known)
		l.saw(ctx, func(s *outlook) { s.sawQueues(seen, away, time.Now()) })
	}
}

// saw changes the outlook, and makes the frame that follows from it.
func (l *Lookout) saw(ctx context.Context, change func(*outlook)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil { // the next collection may have begun
		return
	}
	change(l.outlook)
	now := l.outlook.frame(time.Now())
	changes := maps.Clone(now)
	maps.DeleteFunc(changes, func(key, value string) bool { before, known := l.now[key]; return known && before == value })
	if l.outlook.whole() {
		select {
		case <-l.whole:
		default:
			close(l.whole)
		}
	}
	if len(changes) == 0 {
		return
	}
	l.now, l.turn, l.full, l.changes = now, l.turn+1, now.event(), changes.event()
	close(l.next)
	l.next = make(chan struct{})
}

// event returns a frame as a server-sent event.
func (f frame) event() []byte {
	text, _ := json.Marshal(f) // cannot fail: it has only strings
	return fmt.Appendf(nil, "data: %s\n\n", text)
}

// look returns what a viewer who has seen the frame of a turn has not seen; nil: nothing yet. more is closed with the next one.
func (l *Lookout) look(seen int) (news []byte, turn int, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.turn == seen:
	case l.turn == seen+1 && seen > 0:
		news = l.changes
	default:
		news = l.full
	}
	return news, l.turn, l.next
}

// still returns the present frame, for a page. It waits a moment until there is something to see.
func (l *Lookout) still(ctx context.Context) frame {
	defer l.enter()()
	l.mu.Lock()
	whole := l.whole
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, firstWithin)
	defer cancel()
	select {
	case <-whole:
	case <-l.ending.Done():
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outlook.frame(time.Now())
}
