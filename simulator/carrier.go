package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"
)

const (
	carrierName   = "Swift Parcel"
	undeliverable = "00000" // postal code to which no parcel can be delivered
	trackedMost   = 100     // parcels in one request
)

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

// carrier takes parcels and moves them. No goroutine does this: the stage of a parcel follows from when it was arranged, its
// pace, what the courier has done (courier.go) and the current time. So parcels also move during a restart.
type carrier struct {
	clock   func() time.Time
	journal *journal
	pace    duration // for new shipments; each keeps the pace that it was arranged with

	holdFor time.Duration // how long a courier who does nothing holds parcels
	holds   []hold        // all of them, the first one first

	latest     time.Time // latest time that was told
	book       []string  // all keys, in the order of arrival
	onTheWay   []int     // places in the book of parcels that may not be at their end
	byKey      map[string]*shipment
	byTracking map[string]*shipment
}

func newCarrier(clock func() time.Time, journal *journal, pace duration, holdFor time.Duration) *carrier {
	return &carrier{clock: clock, journal: journal, pace: pace, holdFor: holdFor, byKey: map[string]*shipment{}, byTracking: map[string]*shipment{}}
}

// shipment is the journal's record of a parcel: everything that the carrier has decided, and nothing that follows from the
// clock.
type shipment struct {
	ID             string    `json:"id"`
	Key            string    `json:"key"`
	TrackingNumber string    `json:"tracking_number"`
	ArrangedAt     time.Time `json:"arranged_at"`
	Pace           duration  `json:"pace"`
	ByHand         []stage   `json:"by_hand,omitempty"` // all stages up to the last one that the courier has noted
	CancelledAt    time.Time `json:"cancelled_at,omitzero"`
	parcel
}

// parcel is a request to ship a parcel.
type parcel struct {
	Reference string     `json:"reference"`
	Address   address    `json:"address"`
	Lines     []contents `json:"lines"`
}

type address struct {
	Name       string `json:"name"`
	Street     string `json:"street"`
	City       string `json:"city"`
	PostalCode string `json:"postal_code"`
	Country    string `json:"country"`
}

type contents struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

func (p parcel) equal(q parcel) bool {
	return p.Reference == q.Reference && p.Address == q.Address && slices.Equal(p.Lines, q.Lines)
}

// tracked is a shipment as callers see it at one moment.
type tracked struct {
	shipment
	Carrier           string    `json:"carrier"`
	Status            string    `json:"status"` // name of the last stage
	Stages            []stage   `json:"stages"`
	EstimatedDelivery time.Time `json:"estimated_delivery,omitzero"` // absent once it is cancelled
}

type stage struct {
	Stage string    `json:"stage"`
	At    time.Time `json:"at"`
}

// arrange takes a parcel, once for each key.
func (c *carrier) arrange(key string, in parcel) answer {
	if !countryCode.MatchString(in.Address.Country) {
		return refuse(http.StatusUnprocessableEntity, "address_refused", "a country is two capital letters, not %q", in.Address.Country)
	}
	if len(in.Lines) == 0 || slices.ContainsFunc(in.Lines, func(l contents) bool { return l.SKU == "" || l.Quantity < 1 }) {
		return invalid("a parcel has lines, each with a sku and a quantity above 0")
	}
	if known, exists := c.byKey[key]; exists {
		if !known.equal(in) {
			return keyReused(key)
		}
		return ok(c.at(*known, c.now()))
	}
	s := shipment{
		ID: "sh_" + rand.Text(), Key: key, TrackingNumber: "SP" + rand.Text()[:16],
		ArrangedAt: c.now(), Pace: c.pace, parcel: in,
	}
	c.journal.append(line{Shipment: &s})
	c.apply(s)
	return created(c.at(s, s.ArrangedAt))
}

// cancel cancels a shipment that is not dispatched. This is decided by the same stages that callers see, under the same lock
// and by a clock that never goes back, so that no caller can see a shipment both dispatched and cancelled.
func (c *carrier) cancel(r *http.Request) answer {
	s, exists := c.byTracking[r.PathValue("tracking_number")]
	if !exists {
		return noShipment(r)
	}
	at := c.now()
	if !s.CancelledAt.IsZero() {
		return ok(c.at(*s, at))
	}
	if len(c.stages(*s, at)) > 1 {
		return refuse(http.StatusConflict, "already_dispatched", "the parcel is on its way")
	}
	cancelled := *s
	cancelled.CancelledAt = at
	c.journal.append(line{Shipment: &cancelled})
	c.apply(cancelled)
	a := ok(c.at(cancelled, at))
	a.recorded = true
	return a
}

func (c *carrier) track(r *http.Request) answer {
	s, exists := c.byTracking[r.PathValue("tracking_number")]
	if !exists {
		return noShipment(r)
	}
	return ok(c.at(*s, c.now()))
}

func (c *carrier) showPace(*http.Request) answer { return ok(map[string]duration{"pace": c.pace}) }

// setPace sets the pace of shipments that are arranged from now on. A shipment can be cancelled until its first stage ends.
func (c *carrier) setPace(r *http.Request) answer {
	var to struct {
		Pace *duration `json:"pace"`
	}
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := decode(in, &to); err != nil || to.Pace == nil {
		return invalid(`a pace is {"pace": "8s"}`)
	}
	c.pace = *to.Pace
	return ok(to)
}

func noShipment(r *http.Request) answer {
	return refuse(http.StatusNotFound, "no_shipment", "there is no shipment %s", r.PathValue("tracking_number"))
}

// find returns the parcels with the given tracking numbers or, if there are none in the request, the parcel with the given key.
// Unknown parcels are left out.
func (c *carrier) find(r *http.Request) answer {
	numbers := r.URL.Query()["tracking_number"]
	switch {
	case len(numbers) == 0:
		return byKey(c.shipmentByKey)(r)
	case len(numbers) > trackedMost:
		return refuse(http.StatusBadRequest, "malformed", "there can be %d tracking numbers in one question, not %d", trackedMost, len(numbers))
	}
	now, found := c.now(), []tracked{}
	for _, number := range numbers {
		if s, exists := c.byTracking[number]; exists {
			found = append(found, c.at(*s, now))
		}
	}
	return list(found)
}

func (c *carrier) shipmentByKey(key string) (tracked, bool) {
	if s, exists := c.byKey[key]; exists {
		return c.at(*s, c.now()), true
	}
	return tracked{}, false
}

func (c *carrier) at(s shipment, now time.Time) tracked {
	stages := c.stages(s, now)
	t := tracked{shipment: s, Carrier: carrierName, Status: stages[len(stages)-1].Stage, Stages: stages}
	if s.CancelledAt.IsZero() {
		way := c.way(s)
		t.EstimatedDelivery = way[len(way)-1].At
	}
	return t
}

// stages returns the stages that the shipment has reached by now.
func (c *carrier) stages(s shipment, now time.Time) []stage {
	if !s.CancelledAt.IsZero() {
		return []stage{{"arranged", s.ArrangedAt}, {"cancelled", s.CancelledAt}}
	}
	way := c.way(s)
	for i := max(1, len(s.ByHand)); i < len(way); i++ {
		if way[i].At.After(now) {
			return way[:i]
		}
	}
	return way
}

// page lists all parcels in the order of arrival.
func (c *carrier) page(r *http.Request) answer {
	now := c.now()
	return page(r, c.book, func(key string) tracked { return c.at(*c.byKey[key], now) })
}

func (c *carrier) apply(s shipment) {
	if c.byKey[s.Key] == nil {
		c.onTheWay = append(c.onTheWay, len(c.book))
		c.book = append(c.book, s.Key)
	}
	c.byKey[s.Key], c.byTracking[s.TrackingNumber] = &s, &s
}

// now returns the time of the clock, or the latest time so far if the clock has gone back: a stage that was told is not taken
// back.
func (c *carrier) now() time.Time {
	if t := c.clock(); t.After(c.latest) {
		c.latest = t
	}
	return c.latest
}
