// Package bench measures Orderflow on one machine: how many orders a second it handles, how long an order takes at different
// loads, and what an order costs, beside two small programs without business logic that move the same messages and rows. It
// starts everything itself, with durable queues and fsync as in production, and audits the system after each row.
//
// Run measures and returns Results, which are also kept as JSON. WriteDocs makes docs/benchmarks.md and its plot of them.
package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Results are the measured rows, each in its latest run.
type Results struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
}

// Row is the result of one run. Fields that a row does not measure are zero.
type Row struct {
	Name    string        `json:"name"`
	At      time.Time     `json:"at"`     // when it began
	Commit  string        `json:"commit"` // of the checkout
	Took    time.Duration `json:"took"`   // including start, audit and stop
	Window  time.Duration `json:"window"` // time in which the rate was measured
	Seed    uint64        `json:"seed"`
	Callers int           `json:"callers"` // of the closed loop: each has one order under way
	Orders  int           `json:"orders"`  // orders that ended within the window
	Rate    float64       `json:"rate"`    // orders a second

	Replicas int `json:"replicas,omitempty"`
	History  int `json:"history,omitempty"` // orders that were in the tables before

	HistoryKB float64 `json:"history_kb,omitempty"` // per order of the past, all databases together

	Accept Quantiles `json:"accept,omitzero"` // in the closed loop
	End    Quantiles `json:"end,omitzero"`    // likewise
	Alone  *Latency  `json:"alone,omitempty"` // one order at a time
	Loads  []Latency `json:"loads,omitempty"` // open loop

	CPU       map[string]float64 `json:"cpu_ms,omitempty"`    // milliseconds an order, by program
	Others    float64            `json:"others_cores"`        // cores that other programs used
	Database  Database           `json:"database,omitzero"`   // per order
	Published float64            `json:"published,omitempty"` // messages per order, as RabbitMQ counts them
	Memory    map[string]float64 `json:"memory_mb,omitempty"` // MB at the end, by program, all replicas together
	Peak      map[string]float64 `json:"peak_mb,omitempty"`   // the largest value, sampled each second, if requested

	Backlog *Backlog `json:"backlog,omitempty"`
	Audit   string   `json:"audit,omitempty"` // the auditor's summary
}

// Latency is how long orders took at an arrival rate.
type Latency struct {
	Share   float64   `json:"share,omitempty"` // of the rate of the closed loop; 0: one at a time
	Rate    float64   `json:"rate"`            // of the rate of the closed loop; 0: one at a time
	Orders  int       `json:"orders"`
	Accept  Quantiles `json:"accept"` // until the answer to the request
	End     Quantiles `json:"end"`    // until the commit that sets the order to delivered
	Refused int       `json:"refused,omitempty"`
}

// Quantiles are in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Database is the cost of an order at PostgreSQL, all databases together.
type Database struct {
	Statements float64 `json:"statements"` // without BEGIN and COMMIT
	Commits    float64 `json:"commits"`
	Syncs      float64 `json:"wal_syncs"` // fsyncs of the write-ahead log, which commits wait for
	KB         float64 `json:"wal_kb"`    // written to the write-ahead log
}

// Backlog is the result of processing a queue that had grown while its service was stopped.
type Backlog struct {
	Service  string        `json:"service"`
	Messages int           `json:"messages"`
	Drained  time.Duration `json:"drained"` // from the start of the service until its queue was empty
	Rest     time.Duration `json:"rest"`    // until every order had ended
}

// Row returns the row with a name; nil: it was never measured.
func (r *Results) Row(name string) *Row {
	if i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name }); i >= 0 {
		return &r.Rows[i]
	}
	return nil
}

// put replaces an earlier run of the same row.
func (r *Results) put(row Row) {
	if before := r.Row(row.Name); before != nil {
		*before = row
		return
	}
	r.Rows = append(r.Rows, row)
}

// ReadResults reads the results at path. A missing file gives empty results.
func ReadResults(path string) (r Results, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read earlier results: %w", err)
	}
	return r, nil
}

// write keeps the results at path.
func (r *Results) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the results: %w", err)
	}
	return nil
}
