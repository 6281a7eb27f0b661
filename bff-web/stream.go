package main

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

	"example.com/orderflow/pkg/client"
)

// stream is one reader who follows one order, or several.
type stream struct {
	site    *site
	header  http.Header // asks in the reader's name
	places  []*place
	several bool // then each event says which order it is about, and has no id: where the reader is does not fit into one
	out     http.ResponseWriter
	control *http.ResponseController
}

// place is how far the reader has come in the timeline of an order.
type place struct {
	order string
	last  int  // the seq of the entry that was sent last; unknown: nobody knows
	over  bool // a final status was sent, or the order may not be seen
}

// unknown is the place of a reader who has shown an id that is none. It is told everything from the beginning.
const unknown = -1

// lastSeen is the seq that a reader who comes back has seen last. No timeline has as many entries as fill 32 bits.
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
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	look := time.NewTimer(st.pause())
	defer look.Stop()
	for !st.over() {
		var err error
		select {
		case <-ctx.Done(): // the reader has gone, or their token is over
			return nil
		case <-st.site.streams.ending.Done():
			// All readers of this process will look for another one: not all at once.
			return st.write("retry: %d\n\n", comeBack.Milliseconds()/2+rand.Int64N(comeBack.Milliseconds()))
		case <-beat.C:
			err = st.beat()
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

// pause is how long to wait before orders is asked again although nothing was heard.
func (st *stream) pause() time.Duration {
	if st.site.feed.live() {
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
		return st.send(p, n.entry)
	}
	return st.look(ctx, p) // something is missing before it
}

// answer is what orders says about one of the orders.
type answer struct {
	*place
	tracking
	err error
}

// unseen reports whether there is something to tell, now or later.
func (a answer) unseen() bool {
	return a.err == nil && !(final(a.Status) && len(a.Timeline) > 0 && a.last == a.newest())
}

func (a answer) newest() int {
	if n := len(a.Timeline); n > 0 {
		return a.Timeline[n-1].Seq
	}
	return 0
}

// ask reads the timelines side by side.
func (st *stream) ask(ctx context.Context, places ...*place) []answer {
	answers := make([]answer, len(places))
	var asking sync.WaitGroup
	for i, p := range places {
		asking.Go(func() {
			answers[i].place = p
			path := "/api/orders/" + url.PathEscape(p.order) + "/tracking"
			_, answers[i].err = st.site.orders.JSON(ctx, http.MethodGet, path, st.header, nil, &answers[i].tracking)
		})
	}
	asking.Wait()
	return answers
}

// refused is the error that keeps a stream from beginning. Among several orders, one that may not be seen does not.
func (st *stream) refused(found []answer) error {
	for _, a := range found {
		if a.err != nil && (!st.several || statusOf(a.err) != http.StatusNotFound) {
			return a.err
		}
	}
	return nil
}

// look sends what orders has and the reader has not. While orders is away the stream waits.
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
		} else if a.err == nil { // else it is asked again before long
			err = st.catchUp(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// catchUp sends what the reader has not seen of an order. One who has seen what is not there has seen another order, or
// one that was restored from a backup: with what comes next, nothing would be told until it had as many entries again.
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
	if !a.over && final(a.Status) { // the reader had seen all of it
		a.over = true
		return st.end()
	}
	return nil
}

// send writes an entry, and after the last one the end: a browser that were only cut off would come back.
func (st *stream) send(p *place, e entry) error {
	p.last, p.over = e.Seq, final(e.Status)
	var event any = e
	id := fmt.Sprintf("id: %d\n", e.Seq)
	if st.several {
		id, event = "", struct {
			OrderID string `json:"order_id"`
			entry
		}{p.order, e}
	}
	text, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	if err := st.write("%sdata: %s\n\n", id, text); err != nil {
		return err
	}
	return st.end()
}

// end says that nothing comes any more, once that is so.
func (st *stream) end() error {
	if !st.over() {
		return nil
	}
	return st.write("event: end\ndata: {}\n\n")
}

// event writes what is not an entry of a timeline.
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
	return st.write("event: %s\ndata: %s\n\n", name, text)
}

// beat is an event and no comment, which a script would not see: only so it can tell silence from death. Its data is when
// the next one comes, in seconds.
func (st *stream) beat() error {
	return st.write("event: beat\ndata: %d\n\n", int(heartbeat.Seconds()))
}

func (st *stream) write(format string, args ...any) error {
	if err := st.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(st.out, format, args...); err != nil {
		return err
	}
	return st.control.Flush()
}
