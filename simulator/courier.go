package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// parcelsMost is the number of parcels on a page of the courier's list; also the default.
const parcelsMost = 100

// hold is a time in which the courier holds parcels. Of no parcel any time passes in it: a parcel stays where it is, unless the
// courier notes a stage by hand. A hold always has an end, which each act of the courier moves: a courier who forgets the
// parcels stops nothing for ever.
type hold struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// holding returns when the courier's hold ends; ok is false if there is none.
func (c *carrier) holding(now time.Time) (until time.Time, ok bool) {
	if len(c.holds) == 0 {
		return time.Time{}, false
	}
	until = c.holds[len(c.holds)-1].Until
	return until, until.After(now)
}

// hold begins a hold, or moves the end of the present one.
func (c *carrier) hold(now, until time.Time) {
	h := hold{now, until}
	if _, ok := c.holding(now); ok {
		h.From = c.holds[len(c.holds)-1].From
	}
	c.journal.append(line{Hold: &h})
	c.applyHold(h)
}

func (c *carrier) applyHold(h hold) {
	if last := len(c.holds) - 1; last >= 0 && c.holds[last].From.Equal(h.From) {
		c.holds[last] = h
		return
	}
	c.holds = append(c.holds, h)
}

// onward returns the time at which a parcel that is somewhere since at has waited for d. The time in holds does not count.
func (c *carrier) onward(at time.Time, d time.Duration) time.Time {
	first, _ := slices.BinarySearchFunc(c.holds, at, func(h hold, at time.Time) int {
		if h.Until.After(at) {
			return 1
		}
		return -1
	})
	for _, h := range c.holds[first:] {
		free := h.From.Sub(at)
		if free >= d { // also at the very moment when the hold began: that stage may have been told
			break
		}
		d -= max(0, free)
		at = h.Until
	}
	return at.Add(d)
}

// next returns the stage that follows by itself; empty: the parcel is at its end.
func (s shipment) next(stage string) string {
	switch {
	case stage == "arranged":
		return "dispatched"
	case stage == "dispatched":
		return "in_transit"
	case stage == "in_transit" && s.Address.PostalCode == undeliverable:
		return "failed"
	case stage == "in_transit":
		return "delivered"
	}
	return ""
}

// way returns all stages of a parcel that is not cancelled, with their times: those that were noted by hand, and those that
// follow if the courier does nothing more.
func (c *carrier) way(s shipment) []stage {
	way := slices.Clone(s.ByHand)
	if len(way) == 0 {
		way = []stage{{"arranged", s.ArrangedAt}}
	}
	for {
		last := way[len(way)-1]
		next := s.next(last.Stage)
		if next == "" {
			return way
		}
		way = append(way, stage{next, c.onward(last.At, time.Duration(s.Pace))})
	}
}

// byHand returns the stages that the courier can note about a parcel in a stage.
func (s shipment) byHand(stage string) []string {
	switch {
	case s.next(stage) == "":
		return []string{}
	case stage == "arranged":
		return []string{"dispatched", "failed"}
	case s.Address.PostalCode == undeliverable:
		return []string{"failed"}
	}
	return []string{"delivered", "failed"}
}

// courier is the courier's view: whether parcels are held, and a page of the parcels that are not at their end.
type courier struct {
	Holding bool      `json:"holding"`
	Until   time.Time `json:"until,omitzero"` // when the hold ends by itself
	Items   []inHand  `json:"items"`
	Before  int       `json:"before,omitempty"` // the parameter for the next page; absent: this is the last one
}

// inHand is a parcel with what the courier can do about it.
type inHand struct {
	tracked
	Next []string `json:"next"`
}

// parcels lists the parcels that are not at their end, the latest first.
func (c *carrier) parcels(r *http.Request) answer {
	before, limit := len(c.book), parcelsMost
	for name, n := range map[string]*int{"before": &before, "limit": &limit} {
		if text := r.URL.Query().Get(name); text != "" {
			var err error
			if *n, err = strconv.Atoi(text); err != nil || *n < 1 {
				return refuse(http.StatusBadRequest, "malformed", "%s is a number from 1 on", name)
			}
		}
	}
	if limit > parcelsMost {
		return refuse(http.StatusBadRequest, "malformed", "limit is from 1 to %d", parcelsMost)
	}
	now := c.now()
	// Each parcel is dropped once, when it has come to its end. So the list takes no longer after a million of them.
	c.onTheWay = slices.DeleteFunc(c.onTheWay, func(place int) bool {
		s := c.byKey[c.book[place]]
		stages := c.stages(*s, now)
		return s.next(stages[len(stages)-1].Stage) == ""
	})
	view := c.view(now)
	for _, place := range slices.Backward(c.onTheWay) {
		if place >= before {
			continue
		}
		if len(view.Items) == limit {
			view.Before = place + 1
			break
		}
		t := c.at(*c.byKey[c.book[place]], now)
		view.Items = append(view.Items, inHand{t, t.byHand(t.Status)})
	}
	return ok(view)
}

func (c *carrier) view(now time.Time) courier {
	v := courier{Items: []inHand{}}
	if v.Until, v.Holding = c.holding(now); !v.Holding {
		v.Until = time.Time{}
	}
	return v
}

// setHands begins or ends a hold.
func (c *carrier) setHands(r *http.Request) answer {
	var to struct {
		Holding *bool `json:"holding"`
	}
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := decode(in, &to); err != nil || to.Holding == nil {
		return invalid(`hands are {"holding": true} or {"holding": false}`)
	}
	now := c.now()
	_, held := c.holding(now)
	switch {
	case *to.Holding:
		c.hold(now, now.Add(c.holdFor))
	case held:
		c.hold(now, now)
	}
	return ok(c.view(now))
}

// note notes a stage of a parcel by hand. It can be repeated: a stage that the parcel has reached stays as it is. It also works
// when nothing is held; the parcel then goes on by itself from there.
func (c *carrier) note(r *http.Request) answer {
	var to struct {
		Stage string `json:"stage"`
	}
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := decode(in, &to); err != nil || !slices.Contains([]string{"dispatched", "delivered", "failed"}, to.Stage) {
		return invalid(`a courier notes {"stage": "dispatched"}, "delivered" or "failed"`)
	}
	s, exists := c.byTracking[r.PathValue("tracking_number")]
	if !exists {
		return noShipment(r)
	}
	now := c.now()
	stages := c.stages(*s, now)
	last := stages[len(stages)-1].Stage
	recorded := !slices.ContainsFunc(stages, func(st stage) bool { return st.Stage == to.Stage })
	if recorded {
		if !slices.Contains(s.byHand(last), to.Stage) {
			return refuse(http.StatusConflict, "not_now", "a parcel that is %s cannot become %s", last, to.Stage)
		}
		noted := *s
		noted.ByHand = slices.Concat(stages, []stage{{to.Stage, now}})
		c.journal.append(line{Shipment: &noted})
		c.apply(noted)
		s = &noted
	}
	if _, ok := c.holding(now); ok {
		c.hold(now, now.Add(c.holdFor))
	}
	t := c.at(*s, now)
	a := ok(inHand{t, t.byHand(t.Status)})
	a.recorded = recorded
	return a
}
