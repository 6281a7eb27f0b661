package audit

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Saga is the set of transitions that an order may make.
//
// It is read from the diagram in docs/saga.md. A table of our own would be a copy that can be wrong, and services/orders,
// which has the original, cannot be imported; but a test of orders keeps the document equal to the table. A change of the
// saga needs a new diagram, from which the auditor learns of it. A transition that is removed from the table stays in the
// document, because orders have made it: an order may make the transitions of all releases (docs/adr/0034).
type Saga struct {
	Start []string
	Final []string
	Next  map[string][]string // by status
}

// readSaga reads the lines of the diagram, and those of the list of earlier transitions: "placed --> reserved:
// stock_reserved", with [*] for the start and the end.
func readSaga(path string) (Saga, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Saga{}, fmt.Errorf("read the saga: %w", err)
	}
	s := Saga{Next: map[string][]string{}}
	for line := range strings.Lines(string(text)) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), " --> ")
		to, _, _ = strings.Cut(to, ":")
		switch {
		case !ok:
		case from == "[*]":
			s.Start = append(s.Start, to)
		case to == "[*]":
			s.Final = append(s.Final, from)
		default:
			s.Next[from] = append(s.Next[from], to)
		}
	}
	if len(s.Start) == 0 || len(s.Final) == 0 || len(s.Next) == 0 {
		return Saga{}, fmt.Errorf("read the saga: no diagram of it in %s", path)
	}
	return s, nil
}

func (s Saga) final(status string) bool { return slices.Contains(s.Final, status) }

// stray describes what is wrong with an order's timeline; empty: nothing. While an order stays in a status, its timeline
// may grow, but an entry must not repeat: that would be an event that was applied twice.
func (s Saga) stray(o Order) string {
	if len(o.Timeline) == 0 {
		return "it has no timeline"
	}
	var at string
	var said []string
	for i, e := range o.Timeline {
		switch {
		case e.Seq != i+1:
			return fmt.Sprintf("entry %d of its timeline has the number %d", i+1, e.Seq)
		case i == 0 && !slices.Contains(s.Start, e.Status):
			return "it began " + e.Status
		case e.Status == at && slices.Contains(said, e.What):
			return fmt.Sprintf("entry %d repeats %q", e.Seq, e.What)
		case i > 0 && e.Status != at && !slices.Contains(s.Next[at], e.Status):
			return fmt.Sprintf("entry %d: from %s no way leads to %s", e.Seq, at, e.Status)
		case i > 0 && s.final(at) && e.Status == at:
			return fmt.Sprintf("entry %d comes after it was %s for good", e.Seq, at)
		case e.Status != at:
			at, said = e.Status, nil
		}
		said = append(said, e.What)
	}
	if at != o.Status || len(o.Timeline) != o.Seq {
		return fmt.Sprintf("it is %s with %d entries, but its timeline ends %s after %d", o.Status, o.Seq, at, len(o.Timeline))
	}
	return ""
}
