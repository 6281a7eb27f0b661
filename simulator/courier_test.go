package main

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const holdFor = 10 * time.Minute

// couriers returns a simulator whose courier may hold parcels, and its clock.
func couriers(t *testing.T) (*sim, *fakeClock) {
	t.Helper()
	clock := newFakeClock()
	return start(t, clock.now, config{CarrierPace: duration(pace), HoldFor: duration(holdFor)}), clock
}

func (s *sim) hands(holding bool) courier {
	s.t.Helper()
	got := s.do("PUT", "/carrier/hands", "", fmt.Sprintf(`{"holding":%v}`, holding))
	s.want(got, 200, "")
	return read[courier](s.t, got)
}

func (s *sim) ship(key, postalCode string) (number string) {
	s.t.Helper()
	return read[tracked](s.t, s.post("/carrier/shipments", key, parcelTo(postalCode, "DE"))).TrackingNumber
}

func (s *sim) note(number, stage string) reply {
	s.t.Helper()
	return s.post("/carrier/parcels/"+number+"/stages", "", fmt.Sprintf(`{"stage":%q}`, stage))
}

// is checks the stages of a parcel as a shop sees them.
func (s *sim) is(number string, want ...string) tracked {
	s.t.Helper()
	got := read[tracked](s.t, s.get("/carrier/shipments/"+number))
	if !slices.Equal(stagesOf(got), want) || got.Status != want[len(want)-1] {
		s.t.Errorf("%s: status %s, stages %v, want %v", number, got.Status, stagesOf(got), want)
	}
	return got
}

func TestParcelsThatAreHeldMoveOnlyByHand(t *testing.T) {
	t.Parallel()
	s, clock := couriers(t)
	early := s.ship("early", "10115")
	clock.advance(pace + pace/2) // half of the way to in_transit
	if h := s.hands(true); !h.Holding || !h.Until.Equal(clock.now().Add(holdFor)) {
		t.Errorf("hands: %+v", h)
	}
	late := s.ship("late", "10115")
	clock.advance(holdFor - time.Second)
	s.is(early, "arranged", "dispatched")
	if got := s.is(late, "arranged"); !got.EstimatedDelivery.Equal(clock.now().Add(time.Second + 3*pace)) {
		t.Errorf("expected at %s", got.EstimatedDelivery)
	}

	s.want(s.note(late, "dispatched"), 200, "")
	s.want(s.note(early, "delivered"), 200, "")
	at := clock.now()
	clock.advance(holdFor - time.Second) // each step begins the time anew
	s.is(late, "arranged", "dispatched")
	if got := s.is(early, "arranged", "dispatched", "delivered"); !got.Stages[2].At.Equal(at) || !got.EstimatedDelivery.Equal(at) {
		t.Errorf("delivered: %+v", got)
	}
	clock.advance(time.Second + pace)
	s.is(late, "arranged", "dispatched", "in_transit")
	clock.advance(pace)
	s.is(late, "arranged", "dispatched", "in_transit", "delivered")
}

func TestParcelsGoOnFromWhereTheyAreWhenTheyAreNoLongerHeld(t *testing.T) {
	t.Parallel()
	s, clock := couriers(t)
	number := s.ship("k", "10115")
	for range 2 { // held twice before its first stage
		clock.advance(pace / 4)
		s.hands(true)
		clock.advance(time.Minute)
		if h := s.hands(false); h.Holding || !h.Until.IsZero() {
			t.Errorf("hands: %+v", h)
		}
	}
	s.hands(false) // changes nothing
	clock.advance(pace/2 - time.Millisecond)
	s.is(number, "arranged")
	clock.advance(time.Millisecond)
	s.is(number, "arranged", "dispatched")
}

func TestAStageThatWasToldStaysWhenParcelsAreHeld(t *testing.T) {
	t.Parallel()
	s, clock := couriers(t)
	number := s.ship("k", "10115")
	clock.advance(pace)
	s.is(number, "arranged", "dispatched")
	s.hands(true) // at the same moment
	s.is(number, "arranged", "dispatched")
	clock.advance(pace)
	s.is(number, "arranged", "dispatched")
}

func TestACourierWhoNotesAStageTwiceHasNotedItOnce(t *testing.T) {
	t.Parallel()
	s, clock := couriers(t)
	s.hands(true)
	number := s.ship("k", "10115")
	s.want(s.note(number, "dispatched"), 200, "")
	first := s.is(number, "arranged", "dispatched")
	clock.advance(time.Second)
	s.want(s.note(number, "dispatched"), 200, "")
	if again := s.is(number, "arranged", "dispatched"); !again.Stages[1].At.Equal(first.Stages[1].At) {
		t.Errorf("dispatched at %s and at %s", first.Stages[1].At, again.Stages[1].At)
	}
}

func TestACourierCanDoWhatTheStageOfAParcelAllows(t *testing.T) {
	t.Parallel()
	s, _ := couriers(t)
	s.hands(true)
	for i, test := range []struct {
		postalCode   string
		before, then string
		status       int
		code         string
	}{
		{"10115", "", "dispatched", 200, ""},
		{"10115", "", "failed", 200, ""},
		{"10115", "", "delivered", 409, "not_now"},
		{"10115", "dispatched", "delivered", 200, ""},
		{"10115", "dispatched", "failed", 200, ""},
		{"10115", "failed", "dispatched", 409, "not_now"},
		{"00000", "", "dispatched", 200, ""},
		{"00000", "dispatched", "failed", 200, ""},
		{"00000", "dispatched", "delivered", 409, "not_now"},
		{"10115", "", "in_transit", 422, "invalid"},
		{"10115", "", "", 422, "invalid"},
	} {
		number := s.ship(fmt.Sprint(i), test.postalCode)
		if test.before != "" {
			s.want(s.note(number, test.before), 200, "")
		}
		s.want(s.note(number, test.then), test.status, test.code)
	}
	s.want(s.note("SPNOWHERE", "dispatched"), 404, "no_shipment")

	cancelled := s.ship("cancelled", "10115")
	s.want(s.post("/carrier/shipments/"+cancelled+"/cancellation", "", ""), 200, "")
	s.want(s.note(cancelled, "dispatched"), 409, "not_now")
	dispatched := s.ship("dispatched", "10115")
	s.want(s.note(dispatched, "dispatched"), 200, "")
	s.want(s.post("/carrier/shipments/"+dispatched+"/cancellation", "", ""), 409, "already_dispatched")
	for _, body := range []string{``, `{}`, `{"holding":1}`, `{"hold":true}`, `{"holding":true} {}`} {
		s.want(s.do("PUT", "/carrier/hands", "", body), 422, "invalid")
	}
}

func TestTheCourierSeesTheParcelsThatAreNotAtTheirEnd(t *testing.T) {
	t.Parallel()
	s, clock := couriers(t)
	see := func(query string) courier {
		t.Helper()
		got := s.get("/carrier/parcels" + query)
		s.want(got, 200, "")
		return read[courier](t, got)
	}
	numbers := []string{}
	for i := range 5 {
		numbers = append(numbers, s.ship(fmt.Sprint(i), "10115"))
	}
	s.want(s.note(numbers[1], "failed"), 200, "")
	s.hands(true)
	var seen []string
	pages := 0
	for query := "?limit=2"; query != ""; pages++ {
		page := see(query)
		for _, p := range page.Items {
			seen = append(seen, p.TrackingNumber)
		}
		if query = ""; page.Before > 0 {
			query = fmt.Sprintf("?limit=2&before=%d", page.Before)
		}
	}
	if want := []string{numbers[4], numbers[3], numbers[2], numbers[0]}; !slices.Equal(seen, want) || pages != 2 {
		t.Errorf("%d pages with %v, want %v", pages, seen, want)
	}
	s.want(s.note(numbers[0], "dispatched"), 200, "")
	page := see("")
	if oldest := page.Items[3]; !page.Holding || oldest.Status != "dispatched" || !slices.Equal(oldest.Next, []string{"delivered", "failed"}) || oldest.Address.City != "Berlin" {
		t.Errorf("courier: %+v", page)
	}

	clock.advance(holdFor + 3*pace)
	if page := see(""); page.Holding || len(page.Items) != 0 || len(s.world.carrier.onTheWay) != 0 {
		t.Errorf("after everything has arrived: %+v", page)
	}
	for _, query := range []string{"?limit=0", "?limit=101", "?limit=x", "?before=0", "?before=-1"} {
		s.want(s.get("/carrier/parcels"+query), 400, "malformed")
	}
}

func TestAFaultOfTheCarrierDoesNotConcernItsCourier(t *testing.T) {
	t.Parallel()
	s, _ := couriers(t)
	number := s.ship("k", "10115")
	s.want(s.do("PUT", "/faults", "", `{"carrier":{"error_rate":1}}`), 200, "")
	s.want(s.get("/carrier/shipments/"+number), 503, "unavailable")
	s.want(s.note(number, "dispatched"), 200, "")
}

func TestWhatTheCourierHasDoneOutlivesARestart(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	settings := config{CarrierPace: duration(pace), HoldFor: duration(holdFor), Data: t.TempDir()}
	s := start(t, clock.now, settings)
	s.hands(true)
	number, other := s.ship("k", "10115"), s.ship("other", "10115")
	clock.advance(time.Minute)
	s.want(s.note(number, "dispatched"), 200, "")

	s = restart(t, s, clock.now, settings)
	clock.advance(holdFor - time.Second)
	dispatched := s.is(number, "arranged", "dispatched")
	s.is(other, "arranged")
	if h := s.hands(true); !h.Holding || len(s.world.carrier.holds) != 1 {
		t.Errorf("%d holds: %+v", len(s.world.carrier.holds), h)
	}
	s = restart(t, s, clock.now, settings)
	s.hands(false)
	clock.advance(2 * pace)
	if got := s.is(number, "arranged", "dispatched", "in_transit", "delivered"); !got.Stages[1].At.Equal(dispatched.Stages[1].At) {
		t.Errorf("dispatched at %s and at %s", dispatched.Stages[1].At, got.Stages[1].At)
	}
}
