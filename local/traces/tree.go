package traces

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Tree shows the spans of one trace as a text: each below the one that caused it, with when it began, how long it took, and what
// it says about itself.
func Tree(spans []Span) string {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	if len(spans) == 0 {
		return ""
	}
	ids, below := map[string]bool{}, map[string][]Span{}
	for _, s := range spans {
		ids[s.ID] = true
	}
	for _, s := range spans {
		parent := s.Parent
		if !ids[parent] {
			parent = "" // a root, or a span whose parent was not recorded
		}
		below[parent] = append(below[parent], s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "trace %s: %d spans, %s\n", spans[0].Trace, len(spans), took(duration(spans)))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "began\ttook\tprogram\t")
	var write func(s Span, depth int)
	write = func(s Span, depth int) {
		indent := strings.Repeat("  ", depth)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s%s%s\n", took(s.Start.Sub(spans[0].Start)), took(s.End.Sub(s.Start)), s.Program, indent, s.Name, remarks(s))
		for _, e := range s.Events {
			fmt.Fprintf(table, "%s\t\t\t%s  · %s%s\n", took(e.At.Sub(spans[0].Start)), indent, e.Name, why(e.Attributes["exception.message"]))
		}
		for _, child := range below[s.ID] {
			write(child, depth+1)
		}
	}
	for _, root := range below[""] {
		write(root, 0)
	}
	_ = table.Flush() // a strings.Builder returns no error
	return b.String()
}

func duration(spans []Span) time.Duration {
	last := spans[0].End
	for _, s := range spans {
		if s.End.After(last) {
			last = s.End
		}
	}
	return last.Sub(spans[0].Start)
}

func took(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// remarks are what is worth knowing of a span at a glance.
func remarks(s Span) string {
	var all []string
	say := func(format, attribute string, usual ...string) {
		if v := s.Attributes[attribute]; v != "" && !slices.Contains(usual, v) {
			all = append(all, fmt.Sprintf(format, v))
		}
	}
	say("%s", "http.response.status_code")
	say("sent again: %s", "http.request.resend_count")
	say("attempt %s", "orderflow.message.attempt", "1")
	say("%s", "orderflow.message.outcome", "done")
	say("order %s", "orderflow.order.status")
	say("because of %s", "orderflow.order.reason")
	for _, l := range s.Links {
		if l.Trace != s.Trace && s.Kind != "producer" && s.Kind != "consumer" { // those lead to their batches
			all = append(all, "see trace "+l.Trace)
		}
	}
	if s.Failed {
		all = append(all, "FAILED"+why(s.Why))
	}
	if len(all) == 0 {
		return ""
	}
	return "  [" + strings.Join(all, ", ") + "]"
}

func why(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
