package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// tally counts answers. The zero value is ready for use.
type tally struct {
	mu     sync.Mutex
	counts map[string]int // by labels in the Prometheus format
}

func (t *tally) add(party, route, outcome string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[fmt.Sprintf("party=%q,route=%q,outcome=%q", party, route, outcome)]++
}

// ServeHTTP writes the counts in the Prometheus text format.
func (t *tally) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	counts := maps.Clone(t.counts) // a slow reader must not hold the lock
	t.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprintln(w, "# HELP simulator_answers_total Calls answered; an outcome is a status, reset or withheld.")
	fmt.Fprintln(w, "# TYPE simulator_answers_total counter")
	for _, labels := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "simulator_answers_total{%s} %d\n", labels, counts[labels])
	}
}
