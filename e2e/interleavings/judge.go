package interleavings

import (
	"cmp"
	"fmt"
	"strings"
)

// breach describes the invariant that an order breaks; empty: none. Invariants must hold in every state, not only at the end.
func (f Facts) breach() string {
	net := f.Charged - f.Refunded
	holds := f.Stock == "reserved" || f.Stock == "taken"
	underWay := f.Parcel != "" && f.Parcel != "failed" && f.Parcel != "cancelled"
	switch {
	case f.Wrong != "":
		return f.Wrong
	case f.Charged > 1:
		return fmt.Sprintf("charged at most once: %s", f)
	case f.Refunded > f.Charged:
		return fmt.Sprintf("no more is given back than was taken: %s", f)
	case underWay && net != 1:
		return fmt.Sprintf("what is on its way is paid for: %s", f)
	case underWay && !holds:
		return fmt.Sprintf("what is on its way is nobody else's: %s", f)
	case f.Stock == "taken" && f.Status != "delivered":
		return fmt.Sprintf("only what was delivered is off the books: %s", f)
	case f.Status == "delivered" && (net != 1 || !holds || f.Parcel != "delivered"):
		return fmt.Sprintf("delivered is charged once, out of stock, and one parcel: %s", f)
	case f.Status == "cancelled" && net != 0:
		return fmt.Sprintf("cancelled costs nothing: %s", f)
	case f.Status == "cancelled" && f.Stock != "released" && f.Stock != "rejected":
		return fmt.Sprintf("cancelled holds no stock: %s", f)
	case f.Status == "cancelled" && underWay:
		return fmt.Sprintf("cancelled has no parcel on its way: %s", f)
	case (f.Status == "cancelled") != (f.Reason != "") && (f.Status == "cancelled" || f.Status == "delivered"):
		return fmt.Sprintf("cancelled has a reason, delivered has none: %s", f)
	}
	return ""
}

// settled reports whether an order has ended in all services.
func (f Facts) settled() bool {
	return !f.Busy && (f.Status == "cancelled" || f.Status == "delivered" && f.Stock == "taken")
}

// end is the end of a settled order.
func (f Facts) end() string { return strings.TrimSpace(f.Status + " " + f.Reason) }

func (f Facts) String() string {
	return fmt.Sprintf("%s, stock %s, charged %d, refunded %d, parcel %s",
		cmp.Or(f.Status, "not placed"), cmp.Or(f.Stock, "–"), f.Charged, f.Refunded, cmp.Or(f.Parcel, "–"))
}
