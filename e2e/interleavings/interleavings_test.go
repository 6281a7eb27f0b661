package interleavings_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// worlds are the explored configurations. Each has all faults of the network and all actions of the customer; other faults are
// divided among them, because all combinations do not fit into a test. ends are all the ways in which orders end there.
var worlds = []struct{ name, flags, ends string }{
	{"a customer who changes his mind", "", everyEnd},
	{"a payment provider that fails", providerFails, everyEnd + returned},
	{"a carrier that fails", carrierFails, everyEnd},
	{"an order that waits for new stock", "-units 0 -to-come 1 -may-wait", everyEnd},
	{"no stock", "-units 0", "cancelled:customer_request,cancelled:expired,cancelled:out_of_stock"},
}

// everyEnd is every way in which an order can end if there is stock.
const everyEnd = "delivered,cancelled:customer_request,cancelled:expired,cancelled:payment_declined,cancelled:undeliverable"

// returned is a further end, if a person at the provider may refund the money.
const returned = ",cancelled:payment_returned"

// larger worlds are explored with INTERLEAVINGS=large, which takes minutes and some gigabytes.
var larger = []struct{ name, flags, ends string }{
	{"a provider that fails, tracking included", providerFails + " -whole", everyEnd + returned},
	{"a carrier that fails, tracking included", carrierFails + " -whole", everyEnd},
	{"a provider and a carrier that fail", providerFails + " " + carrierFails + " -most 12000000", everyEnd + returned},
	{"two orders for one unit", "-patient -happy -orders 2", "delivered,cancelled:customer_request,cancelled:out_of_stock"},
	{"two orders that wait for one unit", "-patient -happy -orders 2 -may-wait -most 12000000", "delivered,cancelled:customer_request"},
}

func TestWhateverHappensInWhateverOrderEveryOrderEndsAsItShould(t *testing.T) {
	t.Parallel()
	program := build(t, nil)
	all := worlds
	if os.Getenv("INTERLEAVINGS") == "large" {
		all = append(all, larger...)
	}
	for _, w := range all {
		t.Run(w.name, func(t *testing.T) {
			out, code := check(t, program, w.flags+" -ends "+w.ends)
			if t.Log(out); code != 0 {
				t.Fail()
			}
		})
	}
}

func TestAMistakeInOneLineIsFound(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.what, func(t *testing.T) {
			out, code := check(t, build(t, &m), m.flags)
			_, breach, _ := strings.Cut(out, "breach: ")
			if t.Log(out); code != 1 || !strings.Contains(breach, m.breach) {
				t.Errorf("is not found, or not by %q", m.breach)
			}
		})
	}
}

// check explores a world and returns the output and the exit code: 0 when all is well.
func check(t *testing.T, program, flags string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, strings.Fields(flags)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	said, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(said), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(said), 0
}
