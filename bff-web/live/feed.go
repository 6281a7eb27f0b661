package live

import (
	"context"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/interest"
	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/wire"
)

// Kinds are the events for live tracking: all that orders announces.
var Kinds = []string{
	messages.OrderPlaced{}.Kind(), messages.OrderStatusChanged{}.Kind(), messages.OrderCompleted{}.Kind(), messages.OrderCancelled{}.Kind(),
}

// Feed passes the events of orders on to the streams that wait for them. It keeps nothing: a stream that may have missed
// something asks orders. While no page needs them, no notifications come (docs/adr/0041).
type Feed struct {
	interest.Interest

	mu        sync.Mutex
	connected bool
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
	orders.Entry
}

// notificationsMost is how many notifications may wait for a slow reader, for each order: more than almost any timeline has.
const notificationsMost = 32

// NewFeed passes nothing on until notifications come.
func NewFeed() *Feed {
	f := &Feed{changed: time.Now(), watchers: map[string]map[*watcher]struct{}{}}
	f.Interest = interest.NewInterest(f.watched)
	return f
}

// Attend starts the notifications, and waits a moment until they come.
func (f *Feed) Attend(ctx context.Context) {
	f.Show(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changed = time.Now() // before, it would not have been noticed that none come
	})
}

// watched reports whether streams wait for notifications.
func (f *Feed) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers) > 0
}

func (f *Feed) watch(orders ...string) *watcher {
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

func (f *Feed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(w)
}

func (f *Feed) forget(w *watcher) {
	for _, order := range w.orders {
		delete(f.watchers[order], w)
		if len(f.watchers[order]) == 0 {
			delete(f.watchers, order)
		}
	}
}

// Receive takes notifications from the bus. It never blocks.
func (f *Feed) Receive(batch []bus.Delivery) {
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

func (f *Feed) tell(order string, e messages.OrderEntry) {
	if e.Entered {
		f.flow.count(e.Status, time.Now())
	}
	for w := range f.watchers[order] {
		select {
		case w.notifications <- notification{order, orders.Entry{Seq: e.Seq, At: e.At, Status: e.Status, What: e.What}}:
		default:
			f.forget(w)
			close(w.notifications)
		}
	}
}

// Joined is called when notifications begin or stop to arrive. In both cases all watchers must check what they may have missed.
func (f *Feed) Joined(now bool) {
	f.mu.Lock()
	if f.connected != now {
		f.connected, f.changed, f.flow = now, time.Now(), flow{} // the counts start anew, so that they have no gap
	}
	for _, all := range f.watchers {
		for w := range all {
			select {
			case w.doubts <- struct{}{}:
			default: // it has been told already
			}
		}
	}
	f.mu.Unlock()
	f.Came(now)
}

// Live reports whether notifications come.
func (f *Feed) Live() bool {
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

// Lately returns the sums of the last minutes, by status; nil while no notifications come. from is the beginning of the time
// that they cover: at the earliest, when this process began to receive notifications.
func (f *Feed) Lately(now time.Time) (sums map[string]int, from time.Time) {
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
