package client

import (
	"sync"
	"time"
)

const (
	budgetFloor  = 5                // retries a second that are always allowed: a share of few calls is nothing
	budgetWindow = 10 * time.Second // of unused floor that may be saved up
)

// budget bounds retries to a share of the calls, so that a failing upstream gets little more to do than a healthy one. It
// belongs to the client and not to a replica, as a retry goes to another replica.
//
// failsafe-go's budget bounds the retries that are in flight at the same time. Attempts that fail at once would never reach
// that bound: they would double or treble the load of an upstream that refuses them.
type budget struct {
	share float64 // of calls that may be repeated

	mu     sync.Mutex
	tokens float64
	at     time.Time // when they were counted
}

func newBudget(share float64) *budget {
	return &budget{share: share, tokens: budgetFloor * budgetWindow.Seconds(), at: time.Now()}
}

// earn is called for each call.
func (b *budget) earn() { b.add(b.share) }

// spend is called before each retry, which may only be made when it returns true.
func (b *budget) spend() bool { return b.add(-1) }

func (b *budget) add(tokens float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*budgetFloor, budgetFloor*budgetWindow.Seconds())
	b.at = now
	if b.tokens+tokens < 0 {
		return false
	}
	b.tokens += tokens
	return true
}
