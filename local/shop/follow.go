package shop

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// lookEvery is the pause between two questions where there is no stream, and before the next attempt to get one.
const lookEvery = 2 * time.Second

// Follow yields the entries of an order's timeline, each soon after it has happened, until the order has ended. It reads the
// stream, and connects again where the stream breaks. While the shop refuses it a stream, it asks for the timeline instead. If the
// shop has been restored from a backup, the entries come again from the first. An error is yielded last.
func (c *Client) Follow(ctx context.Context, id string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		f := follower{Client: c, id: id, yield: yield}
		for failures := 1; ; failures++ {
			heard, err := f.listen(ctx)
			if p, refused := errors.AsType[*Problem](err); refused && p.Passes() {
				err = f.look(ctx)
			}
			if f.over {
				return
			}
			if heard || err == nil {
				failures = 1
			}
			wait, again := cmp.Or(f.retry, lookEvery), true
			if err != nil {
				wait, again = c.again(failures, err)
			}
			if !again || pause(ctx, wait) != nil {
				yield(Entry{}, cmp.Or(err, ctx.Err()))
				return
			}
		}
	}
}

type follower struct {
	*Client
	id    string
	yield func(Entry, error) bool

	seen  int           // seq of the last entry that was yielded
	over  bool          // the order has ended, or the caller needs no more
	tag   string        // the ETag of the last answer to look
	retry time.Duration // what the stream has asked for; 0: nothing
}

// listen follows the order by one connection. heard reports whether anything came.
func (f *follower) listen(ctx context.Context) (heard bool, err error) {
	after := ""
	if f.seen > 0 {
		after = strconv.Itoa(f.seen)
	}
	for e, err := range f.Events(ctx, f.id, after) {
		if err != nil {
			return heard, err
		}
		heard = true
		switch {
		case e.Retry > 0:
			f.retry = e.Retry
		case e.Name == "end":
			f.over = true
		case e.Name == "reset":
			f.seen = 0
		case e.Name == "":
			var entry Entry
			if err := json.Unmarshal([]byte(e.Data), &entry); err != nil {
				return heard, fmt.Errorf("read the entry %q: %w", e.Data, err)
			}
			f.tell(entry)
		}
		if f.over {
			break
		}
	}
	return heard, nil
}

// look reads the timeline. If nothing has happened since the last time, the answer is only a header.
func (f *follower) look(ctx context.Context) error {
	answer, err := f.Send(ctx, http.MethodGet, pathOf(f.id)+"/tracking", "", "If-None-Match", cmp.Or(f.tag, `""`))
	if err == nil {
		err = answer.Err()
	}
	if err != nil || answer.Status == http.StatusNotModified {
		return err
	}
	var t Tracking
	if err := answer.read(&t); err != nil {
		return err
	}
	f.tag = answer.Header.Get("ETag")
	if len(t.Timeline) < f.seen { // restored from a backup
		f.seen = 0
	}
	for _, entry := range t.Timeline {
		if entry.Seq > f.seen && !f.over {
			f.tell(entry)
		}
	}
	f.over = f.over || t.Final()
	return nil
}

func (f *follower) tell(entry Entry) {
	f.seen = entry.Seq
	f.over = !f.yield(entry, nil)
}
