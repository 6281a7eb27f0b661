package audit

import "fmt"

// sums are sums over all parts: a few numbers for each product and each outbox, whatever the number of orders.
type sums struct {
	shelves map[string]*shelf // by SKU
	waiting map[string]int    // messages by outbox, without deadlines
	dead    map[string]bool   // ids of dead letters
}

// shelf is the stock of a product according to movements, reservations and supplier orders.
type shelf struct {
	onHand  int // arrivals less departures
	held    int // in reservations
	awaited int // in backorders
	coming  int // from the supplier
	moved   map[string]tally
	open    []string // the units that are held, awaited and coming, one by one, up to openMost
}

// tally is a number of units, and the number of movements that they came in.
type tally struct{ units, times int }

const openMost = 20

func newSums() *sums {
	return &sums{shelves: map[string]*shelf{}, waiting: map[string]int{}, dead: map[string]bool{}}
}

func (s *sums) shelf(sku string) *shelf {
	if s.shelves[sku] == nil {
		s.shelves[sku] = &shelf{moved: map[string]tally{}}
	}
	return s.shelves[sku]
}

func (s *sums) add(b Books) {
	for _, m := range b.Movements {
		of := s.shelf(m.SKU)
		of.onHand += m.Quantity
		t := of.moved[m.What]
		of.moved[m.What] = tally{t.units + m.Quantity, t.times + 1}
	}
	for _, r := range b.Reservations {
		for _, l := range r.Lines {
			of := s.shelf(l.SKU)
			switch r.Status {
			case "reserved":
				of.held += l.Quantity
			case "backordered":
				of.awaited += l.Quantity
			default:
				continue
			}
			of.note("order %s: %d %s", r.OrderID, l.Quantity, r.Status)
		}
	}
	for _, o := range b.Supplies {
		if o.Status != "arrived" {
			of := s.shelf(o.SKU)
			of.coming += o.Quantity
			of.note("supplier order %s: %d %s", o.ID, o.Quantity, o.Status)
		}
	}
	for _, m := range b.Outboxes {
		if !m.deadline() && !m.Fresh {
			s.waiting[m.Where]++
		}
	}
	for _, m := range b.DeadLetters {
		s.dead[m.ID] = true
	}
}

func (s *shelf) note(format string, args ...any) {
	if len(s.open) < openMost {
		s.open = append(s.open, fmt.Sprintf(format, args...))
	}
}
