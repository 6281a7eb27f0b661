package main

import (
	"testing"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit/contract"
)

func TestShippingNeedsWhatItsContractSays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	contract.Service(t, name, f.db, f.inbox, func(string) contract.Subject { return contract.NewSubject() })
}

func TestTheReasonsOfShippingAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	contract.Values(t, "reason", messages.ShipmentFailed{}.Kind(), "reason")
}
