package live_test

import (
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/pkg/bus"
)

func TestTheFlowCountsAnOrderOnceInEachStatus(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.App.Feed.Joined(true)
	f.Announce(3, "paid")
	f.App.Feed.Receive([]bus.Delivery{{Message: bus.Message{Body: []byte(`{"order_id":"o-1","seq":4,"status":"paid","entered":false}`)}}})
	if sums, _ := f.App.Feed.Lately(time.Now()); sums["paid"] != 1 {
		t.Errorf("%v", sums)
	}
}
