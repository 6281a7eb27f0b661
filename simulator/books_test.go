package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// An auditor of the system reads the books of the world from the first line to the last, also after a restart.
func TestTheJournalsListEverythingOnceAsItIsNow(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	cfg := config{CarrierPace: duration(pace), SupplierLead: duration(pace), Data: t.TempDir()}
	s := start(t, clock.now, cfg)
	for _, path := range []string{"/carrier/journal", "/supplier/journal"} {
		if none := string(s.get(path).body); none != `{"items":[]}`+"\n" {
			t.Errorf("%s at first: %s", path, none)
		}
	}
	var numbers []string
	for i := range 3 {
		key := fmt.Sprint("k", i)
		got := s.post("/carrier/shipments", key, parcelTo("10115", "DE"))
		s.want(got, 201, "")
		s.want(s.post("/carrier/shipments", key, parcelTo("10115", "DE")), 200, "")
		numbers = append(numbers, read[tracked](t, got).TrackingNumber)
		s.want(s.post("/supplier/orders", key, `{"sku":"MUG-BLUE","quantity":50}`), 201, "")
		s.want(s.post("/supplier/orders", key, `{"sku":"MUG-BLUE","quantity":50}`), 200, "")
	}
	s.want(s.post("/carrier/shipments/"+numbers[1]+"/cancellation", "", ""), 200, "")
	clock.advance(3 * time.Hour)

	s = restart(t, s, clock.now, cfg)
	for i, want := range []string{"delivered", "cancelled", "delivered"} {
		page := fmt.Sprintf("/carrier/journal?after=%d&limit=1", i)
		if got := items[tracked](t, s.get(page)); len(got) != 1 || got[0].TrackingNumber != numbers[i] || got[0].Status != want {
			t.Errorf("parcel %d: %+v, want %s, %s", i, got, numbers[i], want)
		}
	}
	if got := items[tracked](t, s.get("/carrier/journal")); len(got) != 3 {
		t.Errorf("%d parcels, want 3", len(got))
	}
	got := items[supply](t, s.get("/supplier/journal?after=1"))
	if len(got) != 2 || got[0].Key != "k1" || got[1].Key != "k2" || got[0].Status != "delivered" {
		t.Errorf("orders after the first: %+v", got)
	}
	for _, path := range []string{"/carrier/journal", "/supplier/journal"} {
		s.want(s.get(path+"?limit=10001"), 400, "malformed")
	}
}

func TestTheReportSumsUpTheReferencesSinceOne(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for key, reference := range map[string]string{"a": "1", "b": "2", "c": "3", "d": "3"} {
		body := strings.Replace(chargeOf(100, "tok_visa"), `"reference":"`, `"reference":"`+reference, 1)
		if got := s.post("/provider/charges", key, body); got.status != 201 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	s.post("/provider/refunds", "r", `{"charge_key":"b","amount":40,"currency":"EUR"}`)
	got := read[books](t, s.get("/provider/report?since=2"))
	if got.Charges != 3 || got.Charged["EUR"] != 300 || got.Refunded["EUR"] != 40 || len(got.Double) != 1 || !strings.HasPrefix(got.Double[0], "3") {
		t.Errorf("%+v", got)
	}
}
