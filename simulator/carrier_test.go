package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const pace = 2 * time.Second

func parcelTo(postalCode, country string) string {
	return fmt.Sprintf(`{"reference":"order-1","address":{"name":"Alice","street":"1 Main St","city":"Berlin",`+
		`"postal_code":%q,"country":%q},"lines":[{"sku":"MUG-BLUE","quantity":2}]}`, postalCode, country)
}

func stagesOf(s tracked) []string {
	names := []string{}
	for _, st := range s.Stages {
		names = append(names, st.Stage)
	}
	return names
}

func TestAParcelMovesOnAtItsPace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		postalCode string
		after      time.Duration
		stages     []string
	}{
		{"10115", 0, []string{"arranged"}},
		{"10115", pace - time.Millisecond, []string{"arranged"}},
		{"10115", pace, []string{"arranged", "dispatched"}},
		{"10115", 2 * pace, []string{"arranged", "dispatched", "in_transit"}},
		{"10115", 3 * pace, []string{"arranged", "dispatched", "in_transit", "delivered"}},
		{"10115", time.Hour, []string{"arranged", "dispatched", "in_transit", "delivered"}},
		{"00000", 2 * pace, []string{"arranged", "dispatched", "in_transit"}},
		{"00000", 3 * pace, []string{"arranged", "dispatched", "in_transit", "failed"}},
	} {
		t.Run(fmt.Sprintf("%s after %s", test.postalCode, test.after), func(t *testing.T) {
			t.Parallel()
			clock := newFakeClock()
			s := start(t, clock.now, config{CarrierPace: duration(pace)})
			arrangedAt := clock.now()
			s.want(s.post("/carrier/shipments", "k", parcelTo(test.postalCode, "DE")), 201, "")
			clock.advance(test.after)

			got := items[tracked](t, s.get("/carrier/shipments?key=k"))[0]
			if !slices.Equal(stagesOf(got), test.stages) || got.Status != test.stages[len(test.stages)-1] {
				t.Errorf("status %s, stages %v, want %v", got.Status, stagesOf(got), test.stages)
			}
			for i, st := range got.Stages { // times follow from the pace, not from when a caller asked
				if want := arrangedAt.Add(time.Duration(i) * pace); !st.At.Equal(want) {
					t.Errorf("%s at %s, want %s", st.Stage, st.At, want)
				}
			}
			if !got.EstimatedDelivery.Equal(arrangedAt.Add(3*pace)) || got.Carrier == "" || got.Reference != "order-1" {
				t.Errorf("shipment: %+v", got)
			}
			if tracked := read[tracked](t, s.get("/carrier/shipments/"+got.TrackingNumber)); tracked.Status != got.Status {
				t.Errorf("by tracking number: %+v", tracked)
			}
		})
	}
}

func TestManyParcelsAreTrackedWithOneCall(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := start(t, clock.now, config{CarrierPace: duration(pace)})
	take := func(key string) string {
		return read[tracked](t, s.post("/carrier/shipments", key, parcelTo("10115", "DE"))).TrackingNumber
	}
	early := take("early")
	clock.advance(pace)
	late := take("late")
	ask := func(numbers ...string) string {
		return "/carrier/shipments?" + url.Values{"tracking_number": numbers}.Encode()
	}

	got := items[tracked](t, s.get(ask(late, "SPNOWHERE", early)))
	if len(got) != 2 || got[0].TrackingNumber != late || got[0].Status != "arranged" || got[1].TrackingNumber != early || got[1].Status != "dispatched" {
		t.Errorf("shipments: %+v", got)
	}
	if got := items[tracked](t, s.get(ask("SPNOWHERE"))); len(got) != 0 {
		t.Errorf("shipments: %+v", got)
	}
	if got := items[tracked](t, s.get(ask(slices.Repeat([]string{early}, 100)...))); len(got) != 100 {
		t.Errorf("%d shipments", len(got))
	}
	s.want(s.get(ask(slices.Repeat([]string{early}, 101)...)), 400, "malformed")
	s.want(s.get("/carrier/shipments"), 400, "key_required")
}

func TestWithoutAPaceAParcelArrivesAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	got := s.post("/carrier/shipments", "k", parcelTo("10115", "DE"))
	s.want(got, 201, "")
	if got := read[tracked](t, got); got.Status != "delivered" || len(got.Stages) != 4 {
		t.Errorf("shipment: %+v", got)
	}
}

func TestAHundredArrangementsWithOneKeyAtOnceAreOneShipment(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{CarrierPace: duration(time.Hour), Data: t.TempDir()})
	replies := together(100, func(int) reply { return s.post("/carrier/shipments", "k", parcelTo("10115", "DE")) })
	made := 0
	for _, got := range replies {
		if got.status == 201 {
			made++
		}
		if a, b := read[tracked](t, got), read[tracked](t, replies[0]); a.TrackingNumber != b.TrackingNumber {
			t.Fatalf("two shipments: %s and %s", a.TrackingNumber, b.TrackingNumber)
		}
	}
	if made != 1 {
		t.Errorf("%d answers of 201, want 1", made)
	}
	s.want(s.post("/carrier/shipments", "k", parcelTo("99999", "DE")), 422, "idempotency_key_reused")
}

func TestTheCarrierRefusesInvalidParcels(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for _, country := range []string{"", "D", "de", "DEU", "Germany", "D3", "DÄ"} {
		s.want(s.post("/carrier/shipments", "k", parcelTo("10115", country)), 422, "address_refused")
	}
	s.want(s.post("/carrier/shipments", "k", strings.Replace(parcelTo("10115", "DE"), `"quantity":2`, `"quantity":0`, 1)), 422, "invalid")
	s.want(s.post("/carrier/shipments", "k", `{"reference":"r","address":{"country":"DE"},"lines":[]}`), 422, "invalid")
	s.want(s.get("/carrier/shipments/SPNOWHERE"), 404, "no_shipment")
	s.want(s.post("/carrier/shipments/SPNOWHERE/cancellation", "", ""), 404, "no_shipment")
}

func TestAParcelIsCancelledUntilItIsDispatched(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := start(t, clock.now, config{CarrierPace: duration(pace)})
	early := read[tracked](t, s.post("/carrier/shipments", "early", parcelTo("10115", "DE"))).TrackingNumber
	late := read[tracked](t, s.post("/carrier/shipments", "late", parcelTo("10115", "DE"))).TrackingNumber

	clock.advance(pace - time.Millisecond)
	got := s.post("/carrier/shipments/"+early+"/cancellation", "", "")
	s.want(got, 200, "")
	if got := read[tracked](t, got); got.Status != "cancelled" || !got.EstimatedDelivery.IsZero() {
		t.Errorf("shipment: %+v", got)
	}
	clock.advance(time.Millisecond)
	s.want(s.post("/carrier/shipments/"+late+"/cancellation", "", ""), 409, "already_dispatched")

	clock.advance(time.Hour)
	again := s.post("/carrier/shipments/"+early+"/cancellation", "", "")
	s.want(again, 200, "")
	if got := read[tracked](t, again); !slices.Equal(stagesOf(got), []string{"arranged", "cancelled"}) {
		t.Errorf("a cancelled parcel moved on: %+v", got)
	}
}

func TestADispatchThatWasToldStaysWhenTheClockGoesBack(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := start(t, clock.now, config{CarrierPace: duration(pace)})
	number := read[tracked](t, s.post("/carrier/shipments", "k", parcelTo("10115", "DE"))).TrackingNumber
	clock.advance(pace)
	if got := read[tracked](t, s.get("/carrier/shipments/"+number)); got.Status != "dispatched" {
		t.Fatalf("shipment: %+v", got)
	}
	clock.advance(-time.Second)
	s.want(s.post("/carrier/shipments/"+number+"/cancellation", "", ""), 409, "already_dispatched")
}

func TestNoCallerSeesAParcelBothDispatchedAndCancelled(t *testing.T) {
	t.Parallel()
	const workers, parcels = 4, 60
	clock := newFakeClock()
	s := start(t, clock.now, config{CarrierPace: duration(pace), Data: t.TempDir()})
	numbers := together(parcels, func(i int) string {
		return read[tracked](t, s.post("/carrier/shipments", fmt.Sprint(i), parcelTo("10115", "DE"))).TrackingNumber
	})
	clock.advance(pace - workers*parcels/2*time.Millisecond) // the dispatch comes in the middle of the cancellations

	// Each worker looks at each parcel, cancels it and looks again. All workers are at the same few parcels at the same time.
	type sight struct {
		stages    []string
		cancelled bool
	}
	sights := together(workers, func(int) []sight {
		var seen []sight
		for _, number := range numbers {
			path := "/carrier/shipments/" + number
			before := stagesOf(read[tracked](t, s.get(path)))
			cancelled := s.post(path+"/cancellation", "", "").status == 200
			clock.advance(time.Millisecond)
			seen = append(seen, sight{append(before, stagesOf(read[tracked](t, s.get(path)))...), cancelled})
		}
		return seen
	})
	cancelled := 0
	for i := range numbers {
		for _, of := range sights {
			got := of[i]
			if got.cancelled != sights[0][i].cancelled || slices.Contains(got.stages, "dispatched") == got.cancelled ||
				slices.Contains(got.stages, "cancelled") != got.cancelled {
				t.Errorf("parcel %d: cancelled %v for one and %v for another, who saw %v", i, sights[0][i].cancelled, got.cancelled, got.stages)
			}
		}
		if sights[0][i].cancelled {
			cancelled++
		}
	}
	if cancelled == 0 || cancelled == parcels {
		t.Errorf("%d of %d were cancelled: there was no race", cancelled, parcels)
	}
}

func TestANewPaceIsForLaterParcels(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := start(t, clock.now, config{CarrierPace: duration(pace)})
	for _, body := range []string{``, `{}`, `{"pace":-1}`, `{"pace":"-1s"}`, `{"pace":"soon"}`, `{"speed":"1s"}`, `{"pace":"1s"} {}`} {
		s.want(s.do("PUT", "/carrier/pace", "", body), 422, "invalid")
	}
	s.post("/carrier/shipments", "before", parcelTo("10115", "DE"))
	s.want(s.do("PUT", "/carrier/pace", "", `{"pace":"1h"}`), 200, "")
	if got := strings.TrimSpace(string(s.get("/carrier/pace").body)); got != `{"pace":"1h0m0s"}` {
		t.Errorf("the pace is %s", got)
	}
	s.post("/carrier/shipments", "after", parcelTo("10115", "DE"))
	clock.advance(3 * pace)
	for key, stages := range map[string]int{"before": 4, "after": 1} {
		if got := items[tracked](t, s.get("/carrier/shipments?key="+key))[0]; len(got.Stages) != stages {
			t.Errorf("%s: %v", key, stagesOf(got))
		}
	}
}
