package crash

import (
	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/shop"
)

// story is what customers do while a service crashes. Other services crash at the same time, so the crash may meet their orders
// instead; where that would be another story, it is told again.
type story struct {
	name string
	end  string // the final status of its orders
	tell func(v *victim)
}

// tries is how often a story may go differently than intended.
const tries = 20

var (
	// A usual order.
	ordered = &story{name: "to be delivered", end: "delivered", tell: func(v *victim) {
		v.arm()
		v.place(stories.Wish{SKU: v.sku})
	}}

	// The parcel cannot be delivered, so the order is compensated.
	refused = &story{name: "undeliverable", end: "cancelled", tell: func(v *victim) {
		v.arm()
		v.place(stories.Wish{SKU: v.sku, Postal: "00000"})
	}}

	// The order waits for stock from the supplier.
	backordered = &story{name: "backordered", end: "delivered", tell: func(v *victim) {
		sku := v.scarce[0]
		v.scarce = v.scarce[1:]
		v.arm()
		v.place(stories.Wish{SKU: sku, Quantity: 15, Backorder: true})
	}}

	// The customer cancels while the service is down and has not recorded what the provider or the carrier has done.
	withdrawn = &story{name: "cancelled meanwhile", end: "delivered", tell: func(v *victim) {
		var orders []*order
		for range tries {
			v.arm()
			orders = append(orders, v.place(stories.Wish{SKU: v.sku}))
			v.dead()
			for _, o := range orders {
				if v.id(o); v.unrecorded(o) && v.cancel(o) {
					return
				}
			}
			v.revive()
		}
		v.Fatalf("in %d deaths after %s, none with an order that could be cancelled", tries, v.trail)
	}}

	// The customer cancels, which leads to the crash.
	recalled = &story{name: "called back", end: "delivered", tell: func(v *victim) {
		v.arm()
		for range tries {
			o := v.place(stories.Wish{SKU: v.sku})
			if v.deadBefore(arranged, o) || v.cancel(o) && v.deadBefore(shop.Tracking.Final, o) {
				return // an order for another crash may have been enough
			}
		}
		v.Fatalf("%d cancellations were all too late", tries)
	}}

	// Inventory's answer is lost, and only the deadline can end the order, which is then compensated.
	unanswered = &story{name: "without an answer", end: "cancelled", tell: func(v *victim) {
		o := v.place(stories.Wish{SKU: v.never})
		v.End(v.id(o))
		v.arm()
		v.change(`
			DELETE FROM timeline WHERE order_id = '` + o.id + `' AND seq > 1;
			UPDATE orders SET status = 'placed', reason = '', step = 1, seq = 1, due_at = now(), passed = 1000 WHERE id = '` + o.id + `'`)
	}}

	// Many orders at once, which are decided together.
	together = &story{name: "with others", end: "delivered", tell: func(v *victim) {
		v.arm()
		for range tries {
			var orders []*order
			for range 12 {
				orders = append(orders, v.place(stories.Wish{SKU: v.sku}))
			}
			stop := v.busy()
			dead := v.deadBefore(shop.Tracking.Final, orders...)
			stop()
			if dead {
				return
			}
		}
	}}

	// The service has committed messages and crashed before it published them. After the next start it finds them in the table.
	left = &story{name: "left in the outbox", end: "delivered", tell: func(v *victim) {
		last := v.trail
		v.trail = map[string]string{
			"orders":    "unit.loaded postgres.committed",
			"payments":  "payments.charged postgres.committed",
			"shipping":  "shipping.shipped postgres.committed",
			"inventory": "inbox.noted postgres.committed",
		}[v.service]
		v.arm()
		v.place(stories.Wish{SKU: v.sku})
		v.dead()
		v.trail = last
		v.arm()
		v.died++
		if err := v.part.Start(v.Context()); err != nil && !v.isDead() { // it may crash before it is ready
			v.Fatal(err)
		}
	}}

	// Messages cannot be handled for a while, and are retried.
	retried = &story{name: "tried again", end: "delivered", tell: func(v *victim) {
		v.change(`ALTER TABLE inbox ADD mistake int NOT NULL DEFAULT 0; ALTER TABLE inbox ALTER mistake DROP DEFAULT`)
		v.arm()
		v.place(stories.Wish{SKU: v.sku})
		v.dead()
		v.change(`ALTER TABLE inbox DROP mistake`)
	}}

	// Messages that arrived together cannot be handled together, and are handled one by one.
	divided = &story{name: "one of many", end: "delivered", tell: func(v *victim) {
		v.change(`
			CREATE FUNCTION divide() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				IF (SELECT count(*) FROM noted) > 1 THEN
					RAISE EXCEPTION 'too many at once';
				END IF;
				RETURN NULL;
			END $$;
			CREATE TRIGGER divide AFTER INSERT ON inbox REFERENCING NEW TABLE AS noted EXECUTE FUNCTION divide()`)
		v.arm()
		for range tries {
			var orders []*order
			for range 8 {
				orders = append(orders, v.place(stories.Wish{SKU: v.sku}))
			}
			if v.deadBefore(shop.Tracking.Final, orders...) {
				break
			}
		}
		v.dead()
		v.change(`DROP FUNCTION divide CASCADE`)
	}}
)

// arranged reports whether the carrier has a parcel.
func arranged(t shop.Tracking) bool { return t.Shipment != nil }
