package bench

import (
	"slices"
	"time"
)

// quantiles of durations; zero when there are none. A quantile is the smallest duration that at least that share does not exceed.
func quantiles(all []time.Duration) Quantiles {
	if len(all) == 0 {
		return Quantiles{}
	}
	sorted := slices.Sorted(slices.Values(all))
	at := func(percent int) float64 {
		rank := (len(sorted)*percent + 99) / 100 // rounded up
		return float64(sorted[max(rank, 1)-1].Microseconds()) / 1000
	}
	return Quantiles{P50: at(50), P99: at(99)}
}
