package audit

// indexed is the books with an index for each lookup that the rules need.
type indexed struct {
	Books
	Expectations

	order       map[string]*Order // by id
	payment     map[string]*Payment
	reservation map[string]*Reservation
	shipment    map[string]*Shipment
	product     map[string]*Product // by SKU
	copied      map[string]*Product // likewise, in the copy of orders
	supply      map[string]*Supply  // by id, which is the supplier's key
	delivery    map[string]*Delivery

	logged  map[string][]LogEntry // by order
	entries map[string][]Entry    // likewise
	parcels map[string][]Parcel   // likewise
	moved   map[string][]Movement // by reference: an order, a supplier's order, an operator's key
	sums    *sums                 // of this part and all before it
}

func index(books Books, expected Expectations, so *sums) *indexed {
	b := &indexed{Books: books, Expectations: expected, sums: so}
	b.order = by(books.Orders, func(o *Order) string { return o.ID })
	b.payment = by(books.Payments, func(p *Payment) string { return p.OrderID })
	b.reservation = by(books.Reservations, func(r *Reservation) string { return r.OrderID })
	b.shipment = by(books.Shipments, func(s *Shipment) string { return s.OrderID })
	b.product = by(books.Products, func(p *Product) string { return p.SKU })
	b.copied = by(books.Catalogue, func(p *Product) string { return p.SKU })
	b.supply = by(books.Supplies, func(s *Supply) string { return s.ID })
	b.delivery = by(books.Deliveries, func(d *Delivery) string { return d.Key })
	b.logged = group(books.Log, func(e LogEntry) string { return e.OrderID })
	b.entries = group(books.Ledger, func(e Entry) string { return e.Reference })
	b.parcels = group(books.Parcels, func(p Parcel) string { return p.Reference })
	b.moved = group(books.Movements, func(m Movement) string { return m.Reference })
	return b
}

// by indexes things by a unique name.
func by[T any](things []T, name func(*T) string) map[string]*T {
	found := make(map[string]*T, len(things))
	for i := range things {
		found[name(&things[i])] = &things[i]
	}
	return found
}

// group indexes things by a name that several of them may have.
func group[T any, K comparable](things []T, name func(T) K) map[K][]T {
	found := map[K][]T{}
	for _, thing := range things {
		found[name(thing)] = append(found[name(thing)], thing)
	}
	return found
}

// ended calls each with the orders that have a status.
func (b *indexed) ended(status string, each func(o Order)) {
	for _, o := range b.Orders {
		if o.Status == status {
			each(o)
		}
	}
}
