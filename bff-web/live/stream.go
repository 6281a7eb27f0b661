package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/sse"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
)

// stream is a reader that follows one order, or several.
type stream struct {
	site    *Pages
	header  http.Header // for requests on behalf of the reader
	places  []*place
	several bool // each event names its order and has no id, because one id cannot hold several places
	*sse.Events
}

// place is how far the reader has read the timeline of an order.
type place struct {
	order string
	last  int  // seq of the last entry that was sent, or unknown
	over  bool // a final status was sent, or the reader may not see the order
}

// unknown is the place of a reader that has sent an invalid id. It gets all entries from the beginning.
const unknown = -1

// lastSeen returns the seq of the last entry that a returning reader has seen. No timeline has so many entries that 32 bits are
// too few.
func lastSeen(id string) int {
	n, err := strconv.ParseInt(id, 10, 32)
	switch {
	case id == "":
		return 0
	case err != nil || n < 0:
		return unknown
	}
	return int(n)
}

func (st *stream) orders() (ids []string) {
	for _, p := range st.places {
		ids = append(ids, p.order)
	}
	return ids
}

func (st *stream) run(ctx context.Context, w *watcher) error {
	beat := time.NewTicker(sse.Heartbeat)
	defer beat.Stop()
	look := time.NewTimer(st.pause())
	defer look.Stop()
	for !st.over() {
		var err error
		select {
		case <-ctx.Done(): // the reader has gone, or the token has expired
			return nil
		case <-st.site.streams.Ending.Done():
			return st.Part()
		case <-beat.C:
			err = st.Beat()
		case n, ok := <-w.notifications:
			if !ok {
				return errors.New("too slow")
			}
			err = st.receive(ctx, n)
		case <-w.doubts:
			look.Reset(rand.N(askWhileDeaf)) // not all streams at once
		case <-look.C:
			err = st.look(ctx, st.places...)
			look.Reset(st.pause())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (st *stream) over() bool {
	return !slices.ContainsFunc(st.places, func(p *place) bool { return !p.over })
}

// pause returns the time until orders is asked again without a notification.
func (st *stream) pause() time.Duration {
	if st.site.feed.Live() {
		return askAnyway/2 + rand.N(askAnyway)
	}
	return askWhileDeaf/2 + rand.N(askWhileDeaf)
}

func (st *stream) receive(ctx context.Context, n notification) error {
	p := st.places[slices.IndexFunc(st.places, func(p *place) bool { return p.order == n.order })]
	switch {
	case p.over || n.Seq <= p.last:
		return nil
	case n.Seq == p.last+1:
		return st.send(p, n.Entry)
	}
	return st.look(ctx, p) // an entry before it is missing
}

// answer is the answer of orders about one order.
type answer struct {
	*place
	orders.Tracking
	err error
}

// unseen reports whether the reader has not seen everything, or more may come.
func (a answer) unseen() bool {
	return a.err == nil && !(orders.Final(a.Status) && len(a.Timeline) > 0 && a.last == a.newest())
}

func (a answer) newest() int {
	if n := len(a.Timeline); n > 0 {
		return a.Timeline[n-1].Seq
	}
	return 0
}

// ask reads the timelines at the same time.
func (st *stream) ask(ctx context.Context, places ...*place) []answer {
	answers := make([]answer, len(places))
	var asking sync.WaitGroup
	for i, p := range places {
		asking.Go(func() {
			answers[i].place = p
			path := "/api/orders/" + url.PathEscape(p.order) + "/tracking"
			_, answers[i].err = st.site.orders.JSON(ctx, http.MethodGet, path, st.header, nil, &answers[i].Tracking)
		})
	}
	asking.Wait()
	return answers
}

// refused returns the error that prevents the stream. If the reader follows several orders, one that they may not see does not
// prevent it.
func (st *stream) refused(found []answer) error {
	for _, a := range found {
		if a.err != nil && (!st.several || upstream.StatusOf(a.err) != http.StatusNotFound) {
			return a.err
		}
	}
	return nil
}

// look sends what orders has and the reader has not seen. While orders does not answer, the stream waits.
func (st *stream) look(ctx context.Context, places ...*place) error {
	return st.tell(st.ask(ctx, slices.DeleteFunc(slices.Clone(places), func(p *place) bool { return p.over })...))
}

func (st *stream) tell(found []answer) error {
	for _, a := range found {
		var err error
		if _, refused := errors.AsType[*client.Problem](a.err); refused && !st.several {
			return a.err
		} else if refused {
			a.over = true
			err = st.event("refused", a.place)
		} else if a.err == nil { // on other errors it is asked again soon
			err = st.catchUp(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// catchUp sends the entries of an order that the reader has not seen. A reader that has seen more entries than there are has
// seen another order, or one that was restored from a backup. It is reset; otherwise it would get nothing until the order has
// that many entries again.
func (st *stream) catchUp(a answer) error {
	if a.last < 0 || a.last > a.newest() {
		a.last = 0
		if err := st.event("reset", a.place); err != nil {
			return err
		}
	}
	for _, e := range a.Timeline {
		if e.Seq > a.last {
			if err := st.send(a.place, e); err != nil {
				return err
			}
		}
	}
	if !a.over && orders.Final(a.Status) { // the reader had seen all of it
		a.over = true
		return st.end()
	}
	return nil
}

// send writes an entry, and an end event after the last one: if the connection only ended, browsers would connect again.
func (st *stream) send(p *place, e orders.Entry) error {
	p.last, p.over = e.Seq, orders.Final(e.Status)
	var event any = e
	id := fmt.Sprintf("id: %d\n", e.Seq)
	if st.several {
		id, event = "", struct {
			OrderID string `json:"order_id"`
			orders.Entry
		}{p.order, e}
	}
	text, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	if err := st.Write("%sdata: %s\n\n", id, text); err != nil {
		return err
	}
	return st.end()
}

// end sends the end event if all orders are over.
func (st *stream) end() error {
	if !st.over() {
		return nil
	}
	return st.Write("event: end\ndata: {}\n\n")
}

// event writes an event that is not an entry of a timeline.
func (st *stream) event(name string, about *place) error {
	var data struct {
		OrderID string `json:"order_id,omitempty"`
	}
	if st.several {
		data.OrderID = about.order
	}
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	return st.Write("event: %s\ndata: %s\n\n", name, text)
}
