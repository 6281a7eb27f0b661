package bench

import (
	"context"
	"sync"
	"time"
)

const (
	warmFor = 3 * time.Second  // at least, to fill caches and open connections
	warmMax = 90 * time.Second // at most
)

// window counts the laps of a closed loop between two moments. The loop warms up before the first one.
type window struct {
	mu       sync.Mutex
	open     bool
	from, to time.Time
	earlier  int // laps before the window
	laps     []lap
}

func (w *window) add(l lap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.open:
		w.laps = append(w.laps, l)
	case w.from.IsZero():
		w.earlier++
	}
}

// warm waits until as many orders have ended as are under way, so that the window has its usual mixture of orders that have
// just begun and orders that are about to end.
func (w *window) warm(ctx context.Context, callers int) error {
	for began := time.Now(); ; {
		w.mu.Lock()
		round := w.earlier >= callers
		w.mu.Unlock()
		if took := time.Since(began); took > warmMax || took > warmFor && round {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func (w *window) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open, w.from = true, time.Now()
}

func (w *window) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open, w.to = false, time.Now()
}

// rate is orders a second.
func (w *window) rate() float64 { return float64(len(w.laps)) / w.to.Sub(w.from).Seconds() }

// quantiles are those of the laps.
func (w *window) quantiles() (accept, end Quantiles) {
	var accepted, done []time.Duration
	for _, l := range w.laps {
		accepted, done = append(accepted, l.accepted), append(done, l.done)
	}
	return quantiles(accepted), quantiles(done)
}
