package main

import (
	"fmt"
	"slices"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit/contract"
)

func TestBffWebNeedsWhatItsContractSays(t *testing.T) {
	t.Parallel()
	const order = "0199c0de-0000-7000-8000-000000000001" // the one of the examples
	receives := map[string][]string{"bff-web.live.{replica}": slices.Sorted(slices.Values(notificationKinds))}
	contract.Consumer(t, name, receives, func(kind string, body []byte) string {
		f := newFeed()
		w := f.watch(order)
		f.receive([]bus.Delivery{{Message: bus.Message{Kind: kind, Body: body}}})
		close(w.notifications)
		effect := ""
		for n := range w.notifications {
			effect += fmt.Sprintln(n)
		}
		for _, slot := range f.flow {
			if len(slot.counts) > 0 {
				effect += fmt.Sprintln("entered:", slot.counts)
			}
		}
		return effect
	})
}
