package chaos

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/orderflow/local/system"
)

func TestAFaultOfTheWorldCountsWhenACallerGotABadAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind      Kind
		meanwhile string
		want      error
	}{
		{Failing, `party="carrier",route="shipments",outcome="503"`, nil},
		{Ambiguous, `party="carrier",route="shipments",outcome="reset"`, nil},
		{Failing, `party="carrier",route="shipments",outcome="201"`, errNothing},
		{Failing, `party="provider",route="charges",outcome="503"`, errNothing},
		{Slow, `party="carrier",route="shipments",outcome="201"`, nil},
		{Slow, `party="provider",route="charges",outcome="201"`, errNothing},
	} {
		n, set := 1, ""
		simulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" {
				fmt.Fprintf(w, "# HELP simulator_answers_total Calls answered.\nsimulator_answers_total{%s} %d\n", test.meanwhile, n)
				return
			}
			body, _ := io.ReadAll(r.Body)
			set = string(body)
		}))
		world := target{System: &system.System{SimulatorURL: simulator.URL}}
		heal, err := world.strike(t.Context(), Fault{Kind: test.kind, Victim: "carrier"})
		if err != nil || set != `{"carrier":`+outside[test.kind]+`}` {
			t.Errorf("%s is told as %s, %v", test.kind, set, err)
		}
		n++
		if err := heal(t.Context()); !errors.Is(err, test.want) || set != "{}" {
			t.Errorf("%s, and an answer with %s: %v, and at last %s", test.kind, test.meanwhile, err, set)
		}
		simulator.Close()
	}
}
