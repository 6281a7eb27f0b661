package sse

import (
	"context"
	"sync"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/telemetry"
	"go.opentelemetry.io/otel/metric"
)

// Streams are the open streams of this process.
type Streams struct {
	most   int
	each   int // for one person; a browser needs only one for all its pages
	Ending context.Context
	End    context.CancelFunc

	mu   sync.Mutex
	open int
	of   map[string]int // by person
}

// NewStreams allows so many streams, and so many for one person.
func NewStreams(most, each int) *Streams {
	ending, end := context.WithCancel(context.Background()) //nolint:gosec // End calls it
	s := &Streams{most: most, each: each, Ending: ending, End: end, of: map[string]int{}}
	open, _ := telemetry.Meter().Int64ObservableGauge("live_streams", metric.WithDescription("Open streams of live tracking."))
	telemetry.Gauges(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(open, int64(s.Count()))
		return nil
	}, open)
	return s
}

// Count returns how many are open.
func (s *Streams) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Enter counts a stream of a person, until leave is called. It returns an error if there are too many.
func (s *Streams) Enter(who string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.open >= s.most || s.Ending.Err() != nil:
		return nil, fault.New(fault.Unavailable, "too many follow their orders here").After(5 * time.Second)
	case s.of[who] >= s.each:
		return nil, fault.New(fault.TooMany, "you have %d streams open already", s.each).After(5 * time.Second)
	}
	s.open++
	s.of[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		if s.of[who]--; s.of[who] == 0 {
			delete(s.of, who)
		}
	}, nil
}
