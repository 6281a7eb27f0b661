package orders

import (
	"maps"
	"slices"
)

// Bar is a row of the chart: how many orders have entered a status lately, and how many are in it now; nil: not known.
type Bar struct {
	Status, Label string
	Lately, Now   *int
	Final         bool // orders in it are not counted
	Percent       int  // of the longest bar
}

// Statuses are those that an order can have, in the order of the chart.
var Statuses = []string{"placed", "backordered", "reserved", "paid", "shipped", "delivered", "withdrawing", "refunding", "releasing", "cancelled"}

// Bars combines the counts of the feed with those of orders. Statuses of a newer release come last.
func Bars(lately, now map[string]int) []Bar {
	statuses := slices.Clone(Statuses)
	others := slices.Concat(slices.Collect(maps.Keys(lately)), slices.Collect(maps.Keys(now)))
	for _, status := range slices.Compact(slices.Sorted(slices.Values(others))) {
		if !slices.Contains(Statuses, status) {
			statuses = append(statuses, status)
		}
	}
	most := 1
	for _, n := range lately {
		most = max(most, n)
	}
	rows := make([]Bar, len(statuses))
	for i, status := range statuses {
		rows[i] = Bar{status, Label(status), counted(lately, status), counted(now, status), Final(status), 100 * lately[status] / most}
	}
	return rows
}

func counted(counts map[string]int, status string) *int {
	if counts == nil {
		return nil
	}
	n := counts[status]
	return &n
}
