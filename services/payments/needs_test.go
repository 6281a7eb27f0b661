package main

import (
	"testing"
	"time"

	"example.com/orderflow/pkg/testkit/contract"
)

func TestPaymentsNeedsWhatItsContractSays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	f.till.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	contract.Service(t, name, f.db, f.inbox, func(string) contract.Subject { return contract.NewSubject() })
}
