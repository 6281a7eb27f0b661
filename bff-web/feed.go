package main

import (
	"sync"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/wire"
)

// newsOfOrders are the events that live tracking is made of: all that orders announces.
var newsOfOrders = []string{
	messages.OrderPlaced{}.Kind(), messages.OrderStatusChanged{}.Kind(), messages.OrderCompleted{}.Kind(), messages.OrderCancelled{}.Kind(),
}

// feed hands what orders announces to the streams that wait for it. It keeps nothing: a stream that may have missed
// something asks orders.
type feed struct {
	mu        sync.Mutex
	connected bool
	changed   time.Time                        // when that was noticed
	watchers  map[string]map[*watcher]struct{} // by order
	flow      flow
}

// watcher waits for news of some orders. A closed channel means that it has not taken them: it is too slow.
type watcher struct {
	orders []string
	news   chan news
	doubts chan struct{} // something may have been missed, or may be from now on
}

// news is an entry of the timeline of an order.
type news struct {
	order string
	entry
}

// newsMost is what may wait for a slow reader, of each order: more than the timeline of almost any.
const newsMost = 32

func newFeed() *feed {
	return &feed{changed: time.Now(), watchers: map[string]map[*watcher]struct{}{}}
}

func (f *feed) watch(orders ...string) *watcher {
	w := &watcher{orders: orders, news: make(chan news, newsMost*len(orders)), doubts: make(chan struct{}, 1)}
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

// hear takes news from the bus. It waits for nobody.
func (f *feed) hear(batch []bus.Delivery) {
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
		case w.news <- news{order, entry{e.Seq, e.At, e.Status, e.What}}:
		default:
			f.forget(w)
			close(w.news)
		}
	}
}

// joined is told whether news arrive at all. Either way everybody has to look at what happened meanwhile.
func (f *feed) joined(now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.connected != now {
		f.connected, f.changed, f.flow = now, time.Now(), flow{} // what is counted has no hole in it
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
