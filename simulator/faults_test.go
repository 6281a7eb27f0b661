package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

const healthy = `{"latency":"0s","jitter":"0s","error_rate":0,"ambiguous_rate":0,"down":false}`

func TestFaultsAreSetAndHealedWhileRunning(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{Faults: faults{Provider: fault{ErrorRate: 1}}})
	s.want(s.get("/provider/ledger"), 503, "unavailable")

	s.want(s.do("PUT", "/faults", "", `{"carrier":{"down":true,"latency":"1ms"}}`), 200, "")
	s.want(s.get("/provider/ledger"), 200, "")
	if _, err := s.try(t.Context(), "GET", "/carrier/shipments?key=k", "", ""); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("want a reset, got %v", err)
	}
	s.want(s.get("/supplier/orders?key=k"), 200, "")
	s.want(s.get("/readyz"), 200, "")
	want := fmt.Sprintf(`{"provider":%s,"carrier":%s,"supplier":%s}`, healthy,
		`{"latency":"1ms","jitter":"0s","error_rate":0,"ambiguous_rate":0,"down":true}`, healthy)
	if got := strings.TrimSpace(string(s.get("/faults").body)); got != want {
		t.Errorf("faults %s, want %s", got, want)
	}

	s.want(s.do("PUT", "/faults", "", `{}`), 200, "")
	s.want(s.get("/carrier/shipments?key=k"), 200, "")
}

func TestInvalidFaultsAreRefusedAndChangeNothing(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for _, body := range []string{
		``, `[]`, `{"provider":{"error_rate":1.1}}`, `{"provider":{"error_rate":-0.1}}`, `{"provider":{"error_rate":"NaN"}}`,
		`{"provider":{"latency":"-1s"}}`, `{"provider":{"latency":"soon"}}`, `{"provider":{"latency":5}}`,
		`{"provider":{"eror_rate":1}}`, `{"bank":{}}`, `{}{}`,
	} {
		s.want(s.do("PUT", "/faults", "", body), 422, "invalid")
	}
	want := fmt.Sprintf(`{"provider":%s,"carrier":%s,"supplier":%s}`, healthy, healthy, healthy)
	if got := strings.TrimSpace(string(s.get("/faults").body)); got != want {
		t.Errorf("faults %s, want %s", got, want)
	}
}

func TestAnAmbiguousCallIsRecordedAndThenReset(t *testing.T) {
	t.Parallel()
	sick := fault{AmbiguousRate: 1}
	s := start(t, now, config{CarrierPace: duration(time.Hour), Faults: faults{sick, sick, sick}})
	for _, call := range []struct{ path, body string }{
		{"/provider/charges", chargeOf(100, "tok_visa")},
		{"/provider/refunds", refundOf(100, "k")},
		{"/carrier/shipments", parcelTo("10115", "DE")},
		{"/supplier/orders", `{"sku":"MUG-BLUE","quantity":1}`},
	} {
		if _, err := s.try(t.Context(), "POST", call.path, "k", call.body); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("%s: want a reset, got %v", call.path, err)
		}
		if n := len(items[any](t, s.get(call.path+"?key=k"))); n != 1 {
			t.Errorf("%s: %d are recorded", call.path, n)
		}
		s.want(s.post(call.path, "k", call.body), 200, "")
	}
	cancellation := "/carrier/shipments/" + items[tracked](t, s.get("/carrier/shipments?key=k"))[0].TrackingNumber + "/cancellation"
	if _, err := s.try(t.Context(), "POST", cancellation, "", ""); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("cancellation: want a reset, got %v", err)
	}
	s.want(s.post(cancellation, "", ""), 200, "")
}

func TestACallThatFailsOrIsResetRecordsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{Faults: faults{Provider: fault{Down: true}}})
	if _, err := s.try(t.Context(), "POST", "/provider/charges", "k", chargeOf(100, "tok_visa")); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("want a reset, got %v", err)
	}
	s.do("PUT", "/faults", "", `{"provider":{"error_rate":1}}`)
	s.want(s.post("/provider/charges", "k", chargeOf(100, "tok_visa")), 503, "unavailable")
	s.do("PUT", "/faults", "", `{}`)
	if n := len(items[entry](t, s.get("/provider/ledger"))); n != 0 {
		t.Errorf("%d entries in the ledger", n)
	}
}

func TestARateIsAboutThatShareOfCalls(t *testing.T) {
	t.Parallel()
	struck := 0
	for range 10_000 {
		if rate(0.3).strikes() {
			struck++
		}
	}
	if struck < 2500 || struck > 3500 {
		t.Errorf("0.3 of 10000 struck %d times", struck)
	}
}

func TestLatencyAndJitterSlowEveryAnswer(t *testing.T) {
	t.Parallel()
	f := fault{Latency: duration(30 * time.Millisecond), Jitter: duration(20 * time.Millisecond)}
	for range 1000 {
		if d := f.delay(); d < 30*time.Millisecond || d >= 50*time.Millisecond {
			t.Fatalf("delay %s", d)
		}
	}
	s := start(t, now, config{Faults: faults{Supplier: f}})
	began := time.Now()
	s.want(s.post("/supplier/orders", "k", `{"sku":"MUG-BLUE","quantity":1}`), 201, "")
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Errorf("it took %s only", took)
	}
}

func TestFaultsThatWereSetForATimeEndByThemselves(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := start(t, clock.now, config{})
	s.want(s.do("PUT", "/faults", "", `{"carrier":{"error_rate":1}}`), 200, "")
	for range 2 { // the second time, faults that end follow upon others
		s.want(s.do("PUT", "/faults", "", `{"provider":{"error_rate":1},"for":"30s","note":"the bank is ill"}`), 200, "")
		s.want(s.get("/provider/ledger"), 503, "unavailable")
		s.want(s.get("/carrier/journal"), 200, "")
		clock.advance(29 * time.Second)
	}
	if got := read[spell](t, s.get("/faults")); got.Note != "the bank is ill" || !got.Until.Equal(clock.now().Add(time.Second)) {
		t.Errorf("%+v", got)
	}
	s.want(s.get("/provider/ledger"), 503, "unavailable")
	clock.advance(time.Second)
	s.want(s.get("/provider/ledger"), 200, "")
	s.want(s.get("/carrier/journal"), 503, "unavailable") // as before
	if got := read[spell](t, s.get("/faults")); got.Note != "" || !got.Until.IsZero() || got.Carrier.ErrorRate != 1 {
		t.Errorf("%+v", got)
	}
	s.want(s.do("PUT", "/faults", "", `{}`), 200, "")
	s.want(s.get("/carrier/journal"), 200, "")
	for _, body := range []string{`{"for":"0s"}`, `{"for":"61m"}`, `{"for":"-1s"}`, `{"until":"2026-11-23T12:00:00Z"}`, `{"note":"` + strings.Repeat("x", 101) + `"}`} {
		s.want(s.do("PUT", "/faults", "", body), 422, "invalid")
	}
}
