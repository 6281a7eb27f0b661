package telemetry

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	// labelsMost is how many labels a Counter or a Histogram may have.
	labelsMost = 3
	// readWithin is the most that one function of Gauges may take: a database that hangs must not make /metrics hang.
	readWithin = 3 * time.Second
)

// Meter returns the meter of all our instruments.
func Meter() metric.Meter { return otel.Meter("orderflow") }

// Counter counts, by labels. Their values must be few, and known to this program: each combination is a time series, and is
// kept for as long as the program runs.
type Counter struct {
	metric.Int64Counter
	sets[metric.AddOption]
}

// NewCounter returns a counter, which /metrics shows with the suffix _total. The name is one that is written in the code, so
// there can be no error.
func NewCounter(name, description string, labels ...string) *Counter {
	counter, _ := Meter().Int64Counter(name, metric.WithDescription(description))
	return &Counter{counter, sets[metric.AddOption]{names: labels}}
}

// Count adds n under a value for each label. Adding 0 shows the series before there is anything to count, so that the first
// thing that is counted is a rise.
func (c *Counter) Count(ctx context.Context, n int64, values ...string) {
	c.Add(ctx, n, c.of(values)...)
}

// Histogram sorts measurements into buckets, by labels, for which the same holds as for those of a Counter.
type Histogram struct {
	metric.Float64Histogram
	sets[metric.RecordOption]
}

// Buckets of the histograms, by their upper bounds.
var (
	Seconds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10} // of what a program does by itself
	Sizes   = []float64{1, 2, 5, 10, 20, 50, 100, 200}                                          // of batches
)

// NewHistogram returns a histogram of measurements in a unit of UCUM: "s" for seconds, which the name in /metrics then ends
// with, or "" for a number of things.
func NewHistogram(name, unit, description string, buckets []float64, labels ...string) *Histogram {
	histogram, _ := Meter().Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(buckets...))
	return &Histogram{histogram, sets[metric.RecordOption]{names: labels}}
}

// Measure records a measurement under a value for each label. If ctx has a sampled span, its trace id becomes the exemplar of
// the bucket.
func (h *Histogram) Measure(ctx context.Context, measured float64, values ...string) {
	h.Record(ctx, measured, h.of(values)...)
}

// Gauges registers gauges of Meter that read sets, all at once, whenever somebody asks for the metrics. After 3 s, or after an
// error, the gauges are left out of the answer.
func Gauges(read func(ctx context.Context, o metric.Observer) error, gauges ...metric.Observable) {
	_, _ = Meter().RegisterCallback(func(ctx context.Context, o metric.Observer) error { // it cannot fail: they are gauges of this meter
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		return read(ctx, o)
	}, gauges...)
}

// Label returns a label of an observation.
func Label(name, value string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String(name, value))
}

// sets are the sets of labels that an instrument was used with. To make one costs more than to count, so each is made once.
type sets[O any] struct {
	names []string

	mu   sync.RWMutex
	made map[[labelsMost]string][]O
}

// of returns the options of a measurement with these values.
func (s *sets[O]) of(values []string) []O {
	var key [labelsMost]string
	copy(key[:], values)
	s.mu.RLock()
	set, ok := s.made[key]
	s.mu.RUnlock()
	if ok {
		return set
	}
	labels := make([]attribute.KeyValue, len(s.names))
	for i, name := range s.names {
		labels[i] = attribute.String(name, key[i])
	}
	set = []O{metric.WithAttributeSet(attribute.NewSet(labels...)).(O)} //nolint:forcetypeassert // such an option is for all instruments
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		s.made = map[[labelsMost]string][]O{}
	}
	s.made[key] = set
	return set
}
