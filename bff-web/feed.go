package main

import (
	"context"
	"sync"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/wire"
)

// notificationKinds are the events that live tracking is made of: all that orders announces.
var notificationKinds = []string{
	messages.OrderPlaced{}.Kind(), messages.OrderStatusChanged{}.Kind(), messages.OrderCompleted{}.Kind(), messages.OrderCancelled{}.Kind(),
}

// feed hands what orders announces to the streams that wait for it. It keeps nothing: a stream that may have missed
// something asks orders. While nobody looks, no notifications come (docs/adr/0041).
type feed struct {
	want func(bool)  // asks for notifications, or no longer; nil: none ever come
	rest *time.Timer // until nobody has looked for so long that none are wanted

	mu        sync.Mutex
	wanted    bool // somebody has looked lately
	connected bool
	arriving  chan struct{}                    // closed while connected
	changed   time.Time                        // when that was noticed
	watchers  map[string]map[*watcher]struct{} // by order
	flow      flow
}

// watcher waits for notifications about some orders. A closed channel means that it has not taken them: it is too slow.
type watcher struct {
	orders        []string
	notifications chan notification
	doubts        chan struct{} // something may have been missed, or may be from now on
}

// notification is an entry of the timeline of an order.
type notification struct {
	order string
	entry
}

// notificationsMost is what may wait for a slow reader, of each order: more than the timeline of almost any.
const notificationsMost = 32

// lookLasts is how long notifications go on to come after the last look: as long as they are counted.
const lookLasts = flowMinutes * time.Minute

// attendWithin is how long a look may wait until notifications arrive. Without RabbitMQ they do not come.
const attendWithin = 250 * time.Millisecond

func newFeed() *feed {
	f := &feed{changed: time.Now(), arriving: make(chan struct{}), watchers: map[string]map[*watcher]struct{}{}}
	f.rest = time.AfterFunc(lookLasts, f.tire)
	return f
}

// attend asks for notifications from now on, and waits until they do, attendWithin at most.
func (f *feed) attend(ctx context.Context) {
	if f.want == nil {
		return
	}
	f.mu.Lock()
	if !f.wanted {
		f.wanted, f.changed = true, time.Now() // until now nobody would have noticed that none come
	}
	f.want(true)
	f.rest.Reset(lookLasts)
	arriving := f.arriving
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, attendWithin)
	defer cancel()
	select {
	case <-arriving:
	case <-ctx.Done():
	}
}

// tire asks for no more notifications, unless somebody still waits for some.
func (f *feed) tire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.watchers) > 0:
		f.rest.Reset(lookLasts)
	case f.wanted:
		f.wanted = false
		f.want(false)
	}
}

func (f *feed) watch(orders ...string) *watcher {
	w := &watcher{orders: orders, notifications: make(chan notification, notificationsMost*len(orders)), doubts: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, order := range orders {
		if f.watchers[order] == nil {
			f.watchers[order] = map[*watcher]struct{}{}
		}
		f.watchers[order][w] = struct{}{}
	}
	return w
}

func (f *feed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(w)
}

func (f *feed) forget(w *watcher) {
	for _, order := range w.orders {
		delete(f.watchers[order], w)
		if len(f.watchers[order]) == 0 {
			delete(f.watchers, order)
		}
	}
}

// receive takes notifications from the bus. It waits for nobody.
func (f *feed) receive(batch []bus.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range batch {
		var m messages.OrderChange
		if wire.Read(d.Body, &m) != nil || m.Seq == 0 { // not for us to judge; the timeline will tell
			continue
		}
		for _, e := range append(m.Earlier, m.OrderEntry) {
			f.tell(m.OrderID, e)
		}
	}
}

func (f *feed) tell(order string, e messages.OrderEntry) {
	if e.Entered {
		f.flow.count(e.Status, time.Now())
	}
	for w := range f.watchers[order] {
		select {
		case w.notifications <- notification{order, entry{e.Seq, e.At, e.Status, e.What}}:
		default:
			f.forget(w)
			close(w.notifications)
		}
	}
}

// joined is told whether notifications arrive at all. Either way everybody has to look at what happened meanwhile.
func (f *feed) joined(now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.connected != now {
		f.connected, f.changed, f.flow = now, time.Now(), flow{} // what is counted has no hole in it
		if now {
			close(f.arriving)
		} else {
			f.arriving = make(chan struct{})
		}
	}
	for _, all := range f.watchers {
		for w := range all {
			select {
			case w.doubts <- struct{}{}:
			default: // it has some already
			}
		}
	}
}

func (f *feed) live() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connected
}

// flow counts how many orders came into each status lately, as this process has heard it.
type flow [flowMinutes]struct {
	minute int64
	counts map[string]int
}

const flowMinutes = 15

func (f *flow) count(status string, at time.Time) {
	minute := at.Unix() / 60
	slot := &f[minute%flowMinutes]
	if slot.minute != minute {
		slot.minute, slot.counts = minute, map[string]int{}
	}
	slot.counts[status]++
}

// lately sums up the last minutes, by status. It is nil while nothing is heard. from is since when: what came before this
// process began to listen, or began again, is not known to it.
func (f *feed) lately(now time.Time) (sums map[string]int, from time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.connected {
		return nil, f.changed
	}
	sums = map[string]int{}
	for _, slot := range f.flow {
		if now.Unix()/60-slot.minute < flowMinutes {
			for status, n := range slot.counts {
				sums[status] += n
			}
		}
	}
	if from = now.Add(-flowMinutes * time.Minute); from.Before(f.changed) {
		from = f.changed
	}
	return sums, from
}
