package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMistakesOfTheCallerAreProblems(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for _, test := range []struct {
		what, method, path, key, body string
		status                        int
		code                          string
	}{
		{"no key", "POST", "/provider/charges", "", chargeOf(1, "tok_visa"), 400, "key_required"},
		{"no key", "POST", "/provider/refunds", "", refundOf(1, "c"), 400, "key_required"},
		{"no key", "POST", "/carrier/shipments", "", parcelTo("10115", "DE"), 400, "key_required"},
		{"no key", "POST", "/supplier/orders", "", `{}`, 400, "key_required"},
		{"a key too long", "POST", "/provider/charges", strings.Repeat("k", 256), chargeOf(1, "tok_visa"), 400, "key_required"},
		{"no body", "POST", "/provider/charges", "k", ``, 400, "malformed"},
		{"half a body", "POST", "/provider/charges", "k", `{"amount":`, 400, "malformed"},
		{"two bodies", "POST", "/provider/charges", "k", chargeOf(1, "tok_visa") + `{}`, 400, "malformed"},
		{"an amount in words", "POST", "/provider/charges", "k", `{"amount":"ten"}`, 400, "malformed"},
		{"an amount with a fraction", "POST", "/provider/charges", "k", `{"amount":1.5}`, 400, "malformed"},
		{"an amount beyond 64 bits", "POST", "/provider/charges", "k", `{"amount":9223372036854775808}`, 400, "malformed"},
		{"no amount", "POST", "/provider/charges", "k", `{"currency":"EUR"}`, 422, "invalid"},
		{"a currency in small letters", "POST", "/provider/charges", "k", `{"amount":1,"currency":"eur"}`, 422, "invalid"},
		{"too much", "POST", "/provider/charges", "k", `{"reference":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too_large"},
		{"an unknown path", "GET", "/bank", "", "", 404, "no_route"},
		{"an unknown method", "DELETE", "/provider/charges", "", "", 405, "no_route"},
	} {
		t.Run(test.what+" "+test.path, func(t *testing.T) {
			s := &sim{t, s.world, s.url}
			s.want(s.do(test.method, test.path, test.key, test.body), test.status, test.code)
		})
	}
	if allow := s.do("DELETE", "/provider/charges", "", "").header.Get("Allow"); !strings.Contains(allow, "POST") {
		t.Errorf("Allow: %q", allow)
	}
	if n := len(items[entry](t, s.get("/provider/ledger"))); n != 0 {
		t.Errorf("%d entries in the ledger", n)
	}
}

func TestASlowAnswerOutlastsTheReadTimeout(t *testing.T) {
	t.Parallel()
	const readTimeout = 20 * time.Millisecond
	s := start(t, now, config{Faults: faults{Provider: fault{Latency: duration(10 * readTimeout)}}}, func(server *httptest.Server) {
		server.Config.ReadTimeout = readTimeout
	})
	began := time.Now()
	s.want(s.post("/provider/charges", "k", chargeOf(1, "tok_visa")), 201, "")
	if took := time.Since(began); took < 10*readTimeout {
		t.Errorf("the latency was cut short to %s", took)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	s.want(s.get("/livez"), 200, "")
	s.want(s.get("/readyz"), 200, "")
	addr := strings.TrimPrefix(s.url, "http://")
	if err := health(addr); err != nil {
		t.Errorf("it finds itself not ready: %v", err)
	}
	s.post("/provider/charges", "a", chargeOf(1, "tok_visa"))
	s.post("/provider/charges", "b", chargeOf(1, "tok_visa"))
	s.post("/provider/charges", "c", chargeOf(1, "tok_declined"))
	metrics := string(s.get("/metrics").body)
	for outcome, n := range map[string]int{"201": 2, "402": 1} {
		want := fmt.Sprintf(`simulator_answers_total{party="provider",route="POST /provider/charges",outcome="%s"} %d`+"\n", outcome, n)
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	s.world.draining.Store(true)
	s.want(s.get("/readyz"), 503, "draining")
	s.want(s.get("/livez"), 200, "")
	if err := health(addr); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("while it drains it finds itself ready: %v", err)
	}
}
