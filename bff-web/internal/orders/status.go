package orders

import (
	"slices"
	"strings"
)

// labels are the words that people see for the status of an order, of a payment, and for the stages of a parcel.
var labels = map[string]string{
	"placed": "Placed", "backordered": "Waiting for stock", "reserved": "Reserved", "paid": "Paid", "shipped": "On its way", "delivered": "Delivered",
	"withdrawing": "Calling the parcel back", "refunding": "Undoing the payment", "releasing": "Closing the order", "cancelled": "Cancelled",
	"requested": "Asked for", "taken": "Paid", "declined": "Declined", "refunded": "Refunded", "withdrawn": "Withdrawn",
	"arranged": "Arranged with the carrier", "dispatched": "Handed over", "in_transit": "In transit", "failed": "Could not be delivered",
}

// Label returns the words for a status or a stage.
func Label(word string) string {
	if l, ok := labels[word]; ok {
		return l
	}
	return strings.ReplaceAll(word, "_", " ")
}

// Final reports whether a status is the last one of an order.
func Final(status string) bool { return status == "delivered" || status == "cancelled" }

// Stage is a step of the progress line.
type Stage struct {
	Name  string
	State string // done, now, stopped or todo
}

// The way of an order, and its way back.
var (
	way  = []string{"placed", "reserved", "paid", "shipped", "delivered"}
	Back = []string{"withdrawing", "refunding", "releasing", "cancelled"}
)

// Stages returns the progress line of an order. The line of a compensated order shows how far it came, and its end. A status of
// a newer release is shown as a step between two known ones: where the order is, without any judgement.
func Stages(status string, timeline []Entry) []Stage {
	at := slices.Index(way, status)
	backward := slices.Contains(Back, status)
	unknown := at < 0 && !backward && status != "backordered"
	reached := max(at, 0)
	for _, e := range timeline {
		reached = max(reached, slices.Index(way, e.Status))
	}
	var line []Stage
	for i, name := range way {
		switch {
		case i < reached || i == reached && (Final(status) || backward || unknown):
			line = append(line, Stage{Label(name), "done"})
			if i == reached && unknown {
				line = append(line, Stage{Label(status), "now"})
			}
		case i == reached && status == "backordered":
			line = append(line, Stage{Label(status), "now"})
		case i == reached:
			line = append(line, Stage{Label(name), "now"})
		case !backward:
			line = append(line, Stage{Label(name), "todo"})
		}
	}
	if backward {
		line = append(line, Stage{Label(status), "stopped"})
	}
	return line
}
