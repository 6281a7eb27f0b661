package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAHundredChargesWithOneKeyAtOnceTakeTheMoneyOnce(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{Data: t.TempDir()})
	replies := together(100, func(int) reply { return s.post("/provider/charges", "k", chargeOf(2598, "tok_visa")) })

	made := 0
	id := read[charge](t, replies[0]).ID
	for _, got := range replies {
		switch got.status {
		case 201:
			made++
		case 200:
		default:
			t.Fatalf("status %d: %s", got.status, got.body)
		}
		if c := read[charge](t, got); c.ID != id || c.Status != "succeeded" || c.Amount != 2598 {
			t.Fatalf("another charge: %+v", c)
		}
	}
	if made != 1 {
		t.Errorf("%d answers of 201, want 1", made)
	}
	if ledger := items[entry](t, s.get("/provider/ledger")); len(ledger) != 1 || ledger[0].Kind != "charge" {
		t.Errorf("ledger: %+v", ledger)
	}
}

func TestEachMethodOfPaymentHasItsOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method   string
		statuses []int // of successive POSTs with one key
		code     string
		recorded string
	}{
		{"tok_visa", []int{201, 200, 200}, "", "charge"},
		{"tok_flaky", []int{503, 503, 201, 200}, "unavailable", "charge"},
		{"tok_declined", []int{402, 402}, "card_declined", "decline"},
		{"tok_nonsense", []int{402, 402}, "unknown_method", "decline"},
		{"", []int{402, 402}, "unknown_method", "decline"},
	} {
		t.Run(test.method, func(t *testing.T) {
			t.Parallel()
			s := start(t, now, config{})
			for _, status := range test.statuses {
				got := s.post("/provider/charges", "k", chargeOf(100, test.method))
				s.want(got, status, test.code)
				if got.header.Get("Retry-After") != "" {
					t.Error("a provider this bad says Retry-After")
				}
			}
			known := items[charge](t, s.get("/provider/charges?key=k"))
			if len(known) != 1 || (known[0].Status == "declined") != (test.recorded == "decline") || known[0].Key != "k" {
				t.Errorf("by its key: %+v", known)
			}
			ledger := items[entry](t, s.get("/provider/ledger"))
			if len(ledger) != 1 || ledger[0].Kind != test.recorded || ledger[0].Reference != "order-1" {
				t.Errorf("ledger: %+v", ledger)
			}
		})
	}
}

func TestATimedOutChargeIsInTheLedgerAndAnsweredTheNextTime(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{TimeoutHold: duration(time.Hour)}) // an hour: Close of the server waits for it unless the caller gives up
	ctx, giveUp := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := s.try(ctx, "POST", "/provider/charges", "k", chargeOf(100, "tok_timeout"))
		first <- err
	}()
	for len(items[charge](t, s.get("/provider/charges?key=k"))) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.want(s.post("/provider/charges", "k", chargeOf(100, "tok_timeout")), 200, "")
	select {
	case err := <-first:
		t.Fatalf("the first call was answered: %v", err)
	default:
	}
	giveUp()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := len(items[entry](t, s.get("/provider/ledger"))); n != 1 {
		t.Errorf("%d entries in the ledger", n)
	}
}

func TestAWithheldAnswerEndsInAReset(t *testing.T) {
	t.Parallel()
	const hold = 200 * time.Millisecond
	s := start(t, now, config{TimeoutHold: duration(hold)}, func(server *httptest.Server) {
		server.Config.ReadTimeout = hold / 10 // shorter than hold, and must not cut it short
	})
	began := time.Now()
	_, err := s.try(t.Context(), "POST", "/provider/charges", "k", chargeOf(100, "tok_timeout"))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("want a reset, got %v", err)
	}
	if took := time.Since(began); took < hold {
		t.Errorf("it was held for %s only", took)
	}
}

func TestAKeyBelongsToOneBody(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	s.want(s.post("/provider/charges", "k", chargeOf(100, "tok_visa")), 201, "")
	s.want(s.post("/provider/charges", "d", chargeOf(100, "tok_declined")), 402, "card_declined")
	s.want(s.post("/provider/charges", "k", chargeOf(101, "tok_visa")), 422, "idempotency_key_reused")
	s.want(s.post("/provider/charges", "d", chargeOf(100, "tok_visa")), 422, "idempotency_key_reused")
	s.want(s.post("/provider/refunds", "k", refundOf(10, "k")), 201, "") // refunds and charges have separate keys
	s.want(s.post("/provider/refunds", "k", refundOf(11, "k")), 422, "idempotency_key_reused")
}

func TestRefundsGiveBackAtMostWhatWasTaken(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	s.post("/provider/charges", "c", chargeOf(100, "tok_visa"))
	s.post("/provider/charges", "declined", chargeOf(100, "tok_declined"))

	s.want(s.post("/provider/refunds", "r1", refundOf(60, "c")), 201, "")
	s.want(s.post("/provider/refunds", "r2", refundOf(41, "c")), 422, "over_refund")
	s.want(s.post("/provider/refunds", "r2", refundOf(40, "c")), 201, "") // a refused refund uses up nothing
	s.want(s.post("/provider/refunds", "r3", refundOf(1, "c")), 422, "over_refund")
	s.want(s.post("/provider/refunds", "r4", refundOf(1, "declined")), 422, "over_refund")
	s.want(s.post("/provider/refunds", "r5", refundOf(1, "nobody")), 404, "no_charge")
	s.want(s.post("/provider/refunds", "r6", refundOf(0, "c")), 422, "invalid")
	s.want(s.post("/provider/refunds", "r7", strings.Replace(refundOf(1, "c"), "EUR", "USD", 1)), 422, "over_refund")

	again := s.post("/provider/refunds", "r1", refundOf(60, "c"))
	s.want(again, 200, "")
	found := items[refund](t, s.get("/provider/refunds?key=r1"))
	if len(found) != 1 || found[0] != read[refund](t, again) || found[0].ChargeKey != "c" || found[0].Status != "succeeded" {
		t.Errorf("by its key: %+v", found)
	}
	c := items[charge](t, s.get("/provider/charges?key=c"))[0]
	if c.Refunded != 100 || len(c.Refunds) != 2 || c.Refunds[0] != found[0] || c.Refunds[1].Key != "r2" {
		t.Errorf("the charge: %+v", c)
	}
	kinds := []string{}
	for _, e := range items[entry](t, s.get("/provider/ledger")) {
		kinds = append(kinds, fmt.Sprintf("%d %s %s %d", e.Seq, e.Kind, e.Reference, e.Amount))
	}
	if want := []string{"1 charge order-1 100", "2 decline order-1 100", "3 refund order-1 60", "4 refund order-1 40"}; !slices.Equal(kinds, want) {
		t.Errorf("ledger %q, want %q", kinds, want)
	}
}

func TestAHundredRefundsWithOneKeyAtOnceGiveBackOnce(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{Data: t.TempDir()})
	s.post("/provider/charges", "c", chargeOf(100, "tok_visa"))
	for _, got := range together(100, func(int) reply { return s.post("/provider/refunds", "r", refundOf(60, "c")) }) {
		if got.status != 200 && got.status != 201 {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	if c := items[charge](t, s.get("/provider/charges?key=c")); c[0].Refunded != 60 {
		t.Errorf("refunded: %+v", c)
	}
}

func TestTheLedgerIsReadInPages(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for i := range 7 {
		s.post("/provider/charges", fmt.Sprint(i), chargeOf(100+i, "tok_visa"))
	}
	var seqs []int
	for {
		after := 0
		if len(seqs) > 0 {
			after = seqs[len(seqs)-1]
		}
		page := items[entry](t, s.get(fmt.Sprintf("/provider/ledger?after=%d&limit=3", after)))
		for _, e := range page {
			seqs = append(seqs, e.Seq)
		}
		if len(page) < 3 {
			break
		}
	}
	if !slices.Equal(seqs, []int{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("seqs %v", seqs)
	}
	if beyond := items[entry](t, s.get("/provider/ledger?after=99")); len(beyond) != 0 {
		t.Errorf("beyond the end: %v", beyond)
	}
	for _, query := range []string{"after=-1", "after=x", "limit=0", "limit=10001", "limit=x"} {
		s.want(s.get("/provider/ledger?"+query), 400, "malformed")
	}
}

func TestAPageHasAThousandEntriesByDefault(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for i := range 1001 {
		s.world.provider.charge(fmt.Sprint(i), chargeRequest{100, "EUR", "tok_visa", ""})
	}
	if n := len(items[entry](t, s.get("/provider/ledger"))); n != 1000 {
		t.Errorf("%d entries", n)
	}
	if n := len(items[entry](t, s.get("/provider/ledger?limit=10000"))); n != 1001 {
		t.Errorf("%d entries", n)
	}
}

func TestAnUnknownKeyHasNoCharge(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for _, path := range []string{"/provider/charges", "/provider/refunds", "/carrier/shipments", "/supplier/orders"} {
		got := s.get(path + "?key=unknown")
		s.want(got, 200, "")
		if len(items[any](t, got)) != 0 {
			t.Errorf("%s: %s", path, got.body)
		}
		s.want(s.get(path), 400, "key_required")
	}
}
