package client

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An upstream that fails a little less often than it takes to open a breaker is the worst case: each failed call may be
// repeated.
func TestADeadUpstreamCostsNoMoreThanItsBudget(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{"refuses": status(503), "breaks off": reset} {
		for breaker, delay := range map[string]time.Duration{"breaker tries each second": time.Second, "breaker tries at once": time.Nanosecond} {
			t.Run(name+", "+breaker, func(t *testing.T) {
				t.Parallel()
				n := serve(t, answer)
				c := New(Config{Name: "upstream", URLs: URLs{n.URL}, BreakerDelay: delay})
				const rate, seconds = 200, 3
				var callers sync.WaitGroup
				tick := time.NewTicker(time.Second / rate)
				defer tick.Stop()
				begun := time.Now()
				for range rate * seconds {
					<-tick.C
					callers.Go(func() { outcome(t, c, request(t, "GET", "", "")) })
				}
				callers.Wait()
				allowed := rate*seconds*1.2 + budgetFloor*(budgetWindow+time.Since(begun)).Seconds()
				if got := n.requests(); float64(got) > allowed {
					t.Errorf("%d calls have become %d requests, the budget allows %.0f", rate*seconds, got, allowed)
				}
				t.Logf("%d calls, %d requests", rate*seconds, n.requests())
			})
		}
	}
}

func TestTheBudgetIsAShareOfTheCallsAndAFloor(t *testing.T) {
	t.Parallel()
	b := newBudget(0.2)
	spent := func() (n int) {
		for b.spend() {
			n++
		}
		return n
	}
	if n := spent(); n < 50 || n > 51 {
		t.Errorf("%d retries at first", n)
	}
	for range 100 {
		b.earn()
	}
	if n := spent(); n < 20 || n > 22 {
		t.Errorf("%d retries after 100 calls", n)
	}
	b.at = b.at.Add(-2 * time.Second)
	if n := spent(); n < 10 || n > 12 {
		t.Errorf("%d retries after two seconds", n)
	}
	b.at = b.at.Add(-time.Hour)
	if n := spent(); n < 50 || n > 51 {
		t.Errorf("%d retries after an hour", n)
	}
}

func TestToAskAnotherReplicaAtOnceIsFree(t *testing.T) {
	t.Parallel()
	n := serve(t, status(200))
	c := New(Config{Name: "upstream", URLs: URLs{gone(t), n.URL}})
	for c.budget.spend() { //nolint:revive // until it is empty
	}
	var ok atomic.Int32
	for range 20 {
		if got, _, _ := outcome(t, c, request(t, "GET", "", "")); got == 200 {
			ok.Add(1)
		}
	}
	if ok.Load() != 20 {
		t.Errorf("%d of 20 were answered", ok.Load())
	}
}
