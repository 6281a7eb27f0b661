package main

import (
	"context"
	"sync"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/wire"
)

// notificationKinds are the events for live tracking: all that orders announces.
var notificationKinds = []string{
	messages.OrderPlaced{}.Kind(), messages.OrderStatusChanged{}.Kind(), messages.OrderCompleted{}.Kind(), messages.OrderCancelled{}.Kind(),
}

// feed passes the events of orders on to the streams that wait for them. It keeps nothing: a stream that may have missed
// something asks orders. While no page needs them, no notifications come (docs/adr/0041).
type feed struct {
	want func(bool)  // starts and stops the notifications; nil: there are none
	rest *time.Timer // stops the notifications when they have not been needed for a long time

	mu        sync.Mutex
	wanted    bool // notifications were needed lately
	connected bool
	arriving  chan struct{}                    // closed while connected
	changed   time.Time                        // when connected changed, as far as this process has noticed
	watchers  map[string]map[*watcher]struct{} // by order
	flow      flow
}

// watcher waits for notifications about some orders. If it is too slow to take them, its channel is closed.
type watcher struct {
	orders        []string
	notifications chan notification
	doubts        chan struct{} // notifications may have been missed, or may be from now on
}

// notification is an entry of an order's timeline.
type notification struct {
	order string
	entry
}

// notificationsMost is how many notifications may wait for a slow reader, for each order: more than almost any timeline has.
const notificationsMost = 32

// lookLasts is how long notifications go on after they were last needed: as long as flow counts them.
const lookLasts = flowMinutes * time.Minute

// attendWithin is how long a request waits at most until notifications come. Without RabbitMQ they do not come.
const attendWithin = 250 * time.Millisecond

func newFeed() *feed {
	f := &feed{changed: time.Now(), arriving: make(chan struct{}), watchers: map[string]map[*watcher]struct{}{}}
	f.rest = time.AfterFunc(lookLasts, f.tire)
	return f
}

// attend starts the notifications, and waits until they come, at most attendWithin.
func (f *feed) attend(ctx context.Context) {
	if f.want == nil {
		return
	}
	f.mu.Lock()
	if !f.wanted {
		f.wanted, f.changed = true, time.Now() // before, it would not have been noticed that none come
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

// tire stops the notifications, unless streams still wait for some.
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

// receive takes notifications from the bus. It never blocks.
func (f *feed) receive(batch []bus.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range batch {
		var m messages.OrderChange
		if wire.Read(d.Body, &m) != nil || m.Seq == 0 { // unreadable here; the streams will read the timeline
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

// joined is called when notifications begin or stop to arrive. In both cases all watchers must check what they may have missed.
func (f *feed) joined(now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.connected != now {
		f.connected, f.changed, f.flow = now, time.Now(), flow{} // the counts start anew, so that they have no gap
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
			default: // it has been told already
			}
		}
	}
}

func (f *feed) live() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.connected
}

// flow counts how many orders have entered each status in the last minutes, as far as this process has been notified.
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

// lately returns the sums of the last minutes, by status; nil while no notifications come. from is the beginning of the time
// that they cover: at the earliest, when this process began to receive notifications.
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
