package upstream

import (
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
)

func TestAnAbsenceKeepsTheTimeWhenItWasFirstNoticed(t *testing.T) {
	t.Parallel()
	var a Absences
	away, begun := fault.New(fault.Unavailable, "orders cannot be reached"), time.Unix(1000, 0)
	if got := a.Of("orders", away, begun); got.Cause != away.Detail || !got.Since.Equal(begun) {
		t.Errorf("%+v", got)
	}
	if got := a.Of("orders", away, begun.Add(time.Minute)); !got.Since.Equal(begun) {
		t.Errorf("a minute later: %+v", got)
	}
	if got := a.Of("orders", away, begun.Add(time.Hour)); !got.Since.Equal(begun.Add(time.Hour)) {
		t.Errorf("nobody has looked for an hour: %+v", got)
	}
	if got := a.Of("orders", nil, begun.Add(time.Hour)); got != nil || len(a.seen) != 0 {
		t.Errorf("it is back: %+v", got)
	}
}
