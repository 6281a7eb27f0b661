package chaos

import (
	"fmt"
	"io"
	"slices"
	"time"

	"example.com/orderflow/local/audit"
)

// life is the time in which an order is under way.
type life struct {
	id        string
	placed    time.Time
	ended     time.Time // zero: not yet
	delivered bool
}

// lives takes the start of each order from the client that placed it, because the clocks of programs can be wrong. An order
// that seems to end before it starts is left out; one that seems to take two minutes too long is never the first to recover.
func lives(orders []audit.Order, accepted map[string]time.Time) []life {
	var all []life
	for _, o := range orders {
		l := life{id: o.ID, placed: accepted[o.ID], delivered: o.Status == "delivered"}
		if l.placed.IsZero() { // its answer never arrived
			l.placed = o.PlacedAt
		}
		if o.Status == "delivered" || o.Status == "cancelled" {
			l.ended = o.Timeline[len(o.Timeline)-1].At
		}
		if l.ended.IsZero() || !l.ended.Before(l.placed) {
			all = append(all, l)
		}
	}
	return all
}

// row is the result of all faults of a kind.
type row struct {
	kind     Kind
	times    int
	idle     int             // times without effect, which times does not include
	met      int             // orders that were under way during such a fault
	breaches int             // of rules, by these orders
	recovery []time.Duration // of each time, in ascending order
}

// tabulate sums up the effect of faults on orders. Orders under way during two simultaneous faults count for both, and so do
// their breaches.
func tabulate(done []Done, lives []life, breaches []audit.Breach) []row {
	broken := map[string]int{}
	for _, b := range breaches {
		broken[b.Subject]++
	}
	var rows []row
	for _, k := range kinds() {
		r := row{kind: k.name}
		for _, d := range done {
			switch {
			case d.Kind != k.name:
			case d.Idle:
				r.idle++
			default:
				r.times++
				for _, l := range lives {
					if l.placed.Before(d.Healed) && (l.ended.IsZero() || l.ended.After(d.Began)) {
						r.met++
						r.breaches += broken[l.id]
					}
				}
				if took, ok := recovered(d, done, lives); ok {
					r.recovery = append(r.recovery, took)
				}
			}
		}
		slices.Sort(r.recovery)
		rows = append(rows, r)
	}
	return rows
}

// recovered is the time from the end of a fault until the first order was delivered that was placed after it. Time with another
// fault does not count.
func recovered(d Done, done []Done, lives []life) (took time.Duration, ok bool) {
	var first time.Time
	for _, l := range lives {
		if l.delivered && l.placed.After(d.Healed) && (first.IsZero() || l.ended.Before(first)) {
			first = l.ended
		}
	}
	if first.IsZero() {
		return 0, false
	}
	others := slices.SortedFunc(slices.Values(done), func(a, b Done) int { return a.Began.Compare(b.Began) })
	at := d.Healed
	for _, other := range others {
		if other.Idle {
			continue
		}
		if began := earlier(other.Began, first); began.After(at) {
			took += began.Sub(at)
		}
		if healed := earlier(other.Healed, first); healed.After(at) {
			at = healed
		}
	}
	return took + first.Sub(at), true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// writeTable writes rows as Markdown.
func writeTable(out io.Writer, rows []row) {
	fmt.Fprintln(out, "| fault | times | without effect | orders in flight | breaches | recovered after (median) | (longest) |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range rows {
		median, longest := "–", "–"
		if n := len(r.recovery); n > 0 {
			median, longest = seconds(r.recovery[(n-1)/2]), seconds(r.recovery[n-1])
		}
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d | %s | %s |\n", r.kind, r.times, r.idle, r.met, r.breaches, median, longest)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
