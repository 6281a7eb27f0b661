package deadletters

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const (
	listDefault = 50
	listMost    = 200
	listedBody  = 2 << 10 // bytes of a message that a list shows
	groupsMost  = 100     // there are not so many kinds, reasons and errors
)

// group is how many dead letters have queue, kind, reason and error in common, whatever orders they are about: an operator can
// mend them together.
type group struct {
	Queue  string `json:"queue"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Error  string `json:"error"` // without ids and numbers
	Count  int    `json:"count"`
}

// listing picks one page out of any number of dead letters, the latest first, and counts all of them.
type listing struct {
	of       *Operations
	limit    int
	after    *item // the last one of the page before
	wanted   func(bus.DeadLetter) bool
	items    []item // of the page, and one more when there is another page
	matching int
	groups   map[group]int // by the group without its count
}

func (l *listing) see(d bus.DeadLetter) {
	g := group{Queue: d.Queue, Kind: d.Kind, Reason: d.Reason, Error: alike(d.Error)}
	if _, known := l.groups[g]; known || len(l.groups) < groupsMost {
		l.groups[g]++
	}
	if !l.wanted(d) {
		return
	}
	l.matching++
	// The body is read only for letters that are shown: few of thousands.
	key := item{ID: l.of.service + "." + d.ID, LastFailed: d.LastFailed}
	if l.after != nil && latestFirst(key, *l.after) <= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(l.items, key, latestFirst)
	if at > l.limit {
		return
	}
	l.items = slices.Insert(l.items, at, l.of.item(d, listedBody))
	l.items = l.items[:min(len(l.items), l.limit+1)]
}

func latestFirst(a, b item) int {
	return cmp.Or(b.LastFailed.Compare(a.LastFailed), cmp.Compare(a.ID, b.ID))
}

// cursor names an item. It stays valid when the item has been replayed.
func (it item) cursor() string { return web.Cursor(it.LastFailed.Format(time.RFC3339Nano), it.ID) }

func (o *Operations) list(c echo.Context) error {
	limit, err := web.Limit(c, listDefault, listMost)
	if err != nil {
		return err
	}
	l := listing{of: o, limit: limit, wanted: wanted(c), groups: map[group]int{}}
	parts, err := web.After(c, 2)
	if err != nil {
		return err
	}
	if parts != nil {
		at, err := time.Parse(time.RFC3339Nano, parts[0])
		if err != nil {
			return web.ErrCursor
		}
		l.after = &item{LastFailed: at, ID: parts[1]}
	}
	total, lookedAt := 0, 0
	ctx, cancel := context.WithTimeout(c.Request().Context(), lookWithin)
	defer cancel()
	for i, q := range o.queues {
		err := o.alone(ctx, q, func(ctx context.Context) error {
			seen, there, err := walk(ctx, len(o.queues)-i, q, l.see)
			total, lookedAt = total+there, lookedAt+seen
			return err
		})
		if err != nil {
			return err
		}
	}
	page, err := web.NewPage(l.items, limit, func(it item) any { return it }, item.cursor)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, struct {
		web.Page
		Total    int     `json:"total"`     // in all queues
		LookedAt int     `json:"looked_at"` // at most total: very many are not all looked at
		Matching int     `json:"matching"`  // of those that were looked at
		Groups   []group `json:"groups"`    // of those that were looked at, the largest first
	}{page, total, lookedAt, l.matching, l.largest()})
}

// walk is q.Walk within this queue's share of the time that is left; some time remains for the answer. When the time is up
// it returns the letters that were seen until then: a part is more useful to an operator than nothing.
func walk(ctx context.Context, queues int, q *bus.DeadLetters, see func(bus.DeadLetter)) (seen, total int, err error) {
	if end, ok := ctx.Deadline(); ok {
		own, cancel := context.WithTimeout(ctx, time.Until(end)*4/5/time.Duration(queues))
		defer cancel()
		ctx = own
	}
	seen, total, err = q.Walk(ctx, see)
	if seen > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return seen, total, nil
	}
	return seen, total, err
}

// wanted returns the filter that a request asks for. An empty parameter counts, too: a message may have no kind.
func wanted(c echo.Context) func(bus.DeadLetter) bool {
	query := c.QueryParams()
	fits := func(name, value string) bool { return !query.Has(name) || query.Get(name) == value }
	return func(d bus.DeadLetter) bool {
		return fits("queue", d.Queue) && fits("kind", d.Kind) && fits("reason", d.Reason) && fits("subject", d.Subject) &&
			(!query.Has("error") || query.Get("error") == alike(d.Error))
	}
}

func (l *listing) largest() []group {
	all := []group{}
	for g, n := range l.groups {
		g.Count = n
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Error, b.Error))
	})
	return all
}
