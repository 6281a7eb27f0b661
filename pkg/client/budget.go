package client

import (
	"sync"
	"time"
)

const (
	budgetFloor  = 5                // retries a second that are always allowed: with few calls a share of them is nothing
	budgetWindow = 10 * time.Second // of unused floor that may be saved up
)

// budget bounds how many attempts may follow failed ones: a share of the calls, so that an upstream in trouble gets little
// more to do than one that is well. It is the client's, not the replica's, for a retry goes to another replica.
//
// failsafe-go's budget bounds what is in flight at the same time instead. Attempts that fail at once never meet it: they
// would double and treble the load of an upstream that refuses them.
type budget struct {
	share float64 // of calls that may be repeated

	mu     sync.Mutex
	tokens float64
	at     time.Time // when they were counted
}

func newBudget(share float64) *budget {
	return &budget{share: share, tokens: budgetFloor * budgetWindow.Seconds(), at: time.Now()}
}

// earn is for each call.
func (b *budget) earn() { b.add(b.share) }

// spend is for each retry, which may only be made when it returns true.
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
