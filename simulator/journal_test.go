package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// restart closes a simulator's journal and starts another simulator with it.
func restart(t *testing.T, s *sim, clock func() time.Time, cfg config) *sim {
	t.Helper()
	if err := s.world.journal.close(); err != nil {
		t.Fatal(err)
	}
	return start(t, clock, cfg)
}

func TestARestartForgetsNothing(t *testing.T) {
	t.Parallel()
	clock, data := newFakeClock(), t.TempDir()
	before := start(t, clock.now, config{Data: data, CarrierPace: duration(pace), SupplierLead: duration(pace)})
	before.post("/provider/charges", "c", chargeOf(100, "tok_visa"))
	before.post("/provider/charges", "d", chargeOf(100, "tok_declined"))
	before.post("/provider/refunds", "r", refundOf(60, "c"))
	before.post("/carrier/shipments", "moving", parcelTo("10115", "DE"))
	number := read[tracked](t, before.post("/carrier/shipments", "cancelled", parcelTo("00000", "DE"))).TrackingNumber
	before.post("/carrier/shipments/"+number+"/cancellation", "", "")
	before.post("/supplier/orders", "s", `{"sku":"MUG-BLUE","quantity":1}`)
	clock.advance(pace)

	paths := []string{
		"/provider/ledger", "/provider/charges?key=c", "/provider/charges?key=d", "/provider/refunds?key=r",
		"/carrier/shipments?key=moving", "/carrier/shipments?key=cancelled", "/carrier/shipments/" + number, "/supplier/orders?key=s",
	}
	told := make([]string, len(paths))
	for i, path := range paths {
		told[i] = string(before.get(path).body)
	}
	after := restart(t, before, clock.now, config{Data: data, CarrierPace: duration(time.Hour), SupplierLead: duration(time.Hour)})
	for i, path := range paths {
		if got := string(after.get(path).body); got != told[i] {
			t.Errorf("%s\nbefore %s\nafter  %s", path, told[i], got)
		}
	}
	after.want(after.post("/provider/charges", "c", chargeOf(100, "tok_visa")), 200, "")
	after.want(after.post("/provider/refunds", "r2", refundOf(41, "c")), 422, "over_refund")
	after.want(after.post("/provider/refunds", "r2", refundOf(40, "c")), 201, "")
	if ledger := items[entry](t, after.get("/provider/ledger")); ledger[len(ledger)-1].Seq != 4 {
		t.Errorf("ledger: %+v", ledger)
	}
}

func TestATornLastLineIsCutOff(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	before := start(t, now, config{Data: data})
	before.post("/provider/charges", "a", chargeOf(100, "tok_visa"))
	before.post("/provider/charges", "b", chargeOf(100, "tok_visa"))
	if err := before.world.journal.close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "journal.jsonl")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.Index(whole, '\n') + 1
	for _, length := range []int{first + 1, first + 20, len(whole) - 1} {
		if err := os.WriteFile(file, whole[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		after := start(t, now, config{Data: data})
		after.want(after.post("/provider/charges", "a", chargeOf(100, "tok_visa")), 200, "")
		after.want(after.post("/provider/charges", "b", chargeOf(100, "tok_visa")), 201, "")
		again := restart(t, after, now, config{Data: data})
		if ledger := items[entry](t, again.get("/provider/ledger")); len(ledger) != 2 || ledger[1].Key != "b" || ledger[1].Seq != 2 {
			t.Errorf("torn at %d: ledger %+v", length, ledger)
		}
		if err := again.world.journal.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAJournalThatIsDamagedInTheMiddleIsRefused(t *testing.T) {
	t.Parallel()
	for _, spoilt := range []string{"{\n", "{}\n", "null\n", "\n"} {
		data := t.TempDir()
		text := `{"entry":{"seq":1,"kind":"charge","key":"a","amount":1,"currency":"EUR"}}` + "\n" + spoilt
		if err := os.WriteFile(filepath.Join(data, "journal.jsonl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := newWorld(config{Data: data}, now, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: error %v", spoilt, err)
		}
	}
}

func TestNothingIsAnsweredThatTheJournalDoesNotHold(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{Data: t.TempDir()})
	s.want(s.post("/provider/charges", "a", chargeOf(100, "tok_visa")), 201, "")
	if err := s.world.journal.file.Close(); err != nil { // from now on, writing fails
		t.Fatal(err)
	}
	s.want(s.post("/provider/charges", "b", chargeOf(100, "tok_visa")), 500, "journal")
	s.want(s.post("/provider/charges", "b", chargeOf(100, "tok_visa")), 500, "journal")
	s.want(s.get("/provider/charges?key=b"), 500, "journal")
	s.want(s.get("/readyz"), 503, "journal")

	healed, err := os.Create(filepath.Join(t.TempDir(), "healed")) // too late: the memory is ahead of the disk
	if err != nil {
		t.Fatal(err)
	}
	s.world.journal.file = healed
	s.want(s.post("/provider/charges", "c", chargeOf(100, "tok_visa")), 500, "journal")
	if written, err := os.ReadFile(healed.Name()); err != nil || len(written) != 0 {
		t.Errorf("written after a failure: %s, %v", written, err)
	}
	s.want(s.get("/livez"), 200, "")
}
