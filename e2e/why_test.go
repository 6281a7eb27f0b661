package e2e

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/bench"
	"example.com/orderflow/local/system"
)

const (
	// providerNeeds is the time that the payment provider needs for an answer when it is slow. The callers' time limits are longer.
	providerNeeds = time.Second
	// pause is how long each of the two callers waits between two orders. So both sides get at most 40 orders a second, whatever
	// their speed, and a caller waits for its own order rather than for the work that earlier orders have left.
	pause = 50 * time.Millisecond
)

// amounts are numbers of orders for each way.
type amounts struct{ rounds, each, stopped, slow int }

var (
	enoughToCheck   = amounts{rounds: 1, each: 4, stopped: 12, slow: 2} // a breaker opens after ten failures
	enoughToMeasure = amounts{rounds: 5, each: 100, stopped: 200, slow: 100}
)

// Orderflow and a chain of services that call each other get the same orders, in turns, on one machine. While a service is stopped,
// the one delays orders and the other accepts none. The times are not judged; with -update they are written into docs/why.md.
func TestAStoppedServiceDelaysMessagesAndStopsCalls(t *testing.T) {
	t.Parallel()
	n := enoughToCheck
	if *update {
		n = enoughToMeasure
	}
	f := figures{began: time.Now().UTC(), load: loadAverage(), machine: bench.Describe(t.TempDir())}
	s := start(t, system.Each(1), map[string][]string{
		"simulator": settings["simulator"], "orders": settings["orders"], "gateway": {"RATE_PER_ADDRESS=0", "RATE_PER_CALLER=0"},
	})
	chain := startChain(t, s)
	c := stories.New(t, world(s))
	sku := c.Product(100_000, 0, 0)
	byMessages := func() (id string, accepted bool) {
		a, err := c.Call("alice", http.MethodPost, "/api/orders", stories.Wish{SKU: sku}.JSON(), "Idempotency-Key", uuid.NewString())
		if err != nil || a.Status != http.StatusAccepted {
			return "", false
		}
		var o struct{ ID string }
		a.Into(t, &o)
		return o.ID, true
	}
	byCalls := func() (id string, accepted bool) { return chain.place(len(chain.services)) }

	for round := range n.rounds + 1 {
		if round < 2 { // the first round warms everything up
			f.messages, f.calls = sample{}, make([]sample, len(chain.services))
		}
		for i := range f.calls {
			f.calls[i].add(ask(n.each, func() (string, bool) { return chain.place(i + 1) }))
		}
		f.messages.add(ask(n.each, byMessages))
		stories.Until(t, "the orders are delivered", func() bool { return delivered(t, s, f.messages.accepted) })
	}
	for _, all := range append(slices.Clone(f.calls), f.messages) {
		if len(all.accepted) != len(all.took) {
			t.Fatalf("everything runs, and only %s are accepted", all.share())
		}
	}
	f.paid = paidAfter(t, s, f.messages.accepted)
	accepted := slices.Clone(f.messages.accepted)

	for _, name := range []string{"payments", "shipping"} {
		away := outage{service: name}
		for _, p := range s.Named(name) {
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		chain.services[name].stop(t)
		refunds := chain.ledger(t)["refund"]
		away.messages, away.calls = ask(n.stopped, byMessages), ask(n.stopped, byCalls)
		away.refunds = chain.ledger(t)["refund"] - refunds
		if len(away.messages.accepted) != n.stopped || len(away.calls.accepted) != 0 {
			t.Errorf("%s is stopped: %s by messages and %s by calls are accepted", name, away.messages.share(), away.calls.share())
		}
		chain.services[name].start(t)
		for _, p := range s.Named(name) {
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		back := time.Now()
		stories.Until(t, "the chain accepts orders again, and the others are delivered", func() bool {
			if _, ok := byCalls(); ok && away.again == 0 {
				away.again = time.Since(back)
			}
			if away.delivered == 0 && delivered(t, s, away.messages.accepted) {
				away.delivered = time.Since(back)
			}
			return away.again > 0 && away.delivered > 0
		})
		accepted = append(accepted, away.messages.accepted...)
		f.outages = append(f.outages, away)
	}

	slow(t, providerNeeds, s.SimulatorURL, chain.simulator.url)
	f.slowMessages, f.slowCalls = ask(n.slow, byMessages), ask(n.slow, byCalls)
	slow(t, 0, s.SimulatorURL, chain.simulator.url)
	if len(f.slowMessages.accepted) != n.slow {
		t.Errorf("the provider is slow: %s by messages are accepted", f.slowMessages.share())
	}
	audited(t, s, append(accepted, f.slowMessages.accepted...)...)
	chain.audited(t)
	f.write(t)
}

// sample is what callers got.
type sample struct {
	took     []time.Duration // until each answer
	accepted []string
}

func (s *sample) add(more sample) {
	s.took, s.accepted = append(s.took, more.took...), append(s.accepted, more.accepted...)
}

// ask lets two callers place n orders, each one after another.
func ask(n int, place func() (id string, accepted bool)) (s sample) {
	var mu sync.Mutex
	var callers sync.WaitGroup
	for caller := range 2 {
		callers.Go(func() {
			for i := caller; i < n; i += 2 {
				began := time.Now()
				id, ok := place()
				one := sample{took: []time.Duration{time.Since(began)}}
				if ok {
					one.accepted = []string{id}
				}
				mu.Lock()
				s.add(one)
				mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	callers.Wait()
	return s
}
