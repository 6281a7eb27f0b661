package live

import (
	"testing"
	"time"
)

func TestTheFlowForgetsOldEntries(t *testing.T) {
	t.Parallel()
	f := NewFeed()
	f.Joined(true)
	now := time.Now()
	f.flow.count("paid", now.Add(-flowMinutes*time.Minute))
	f.flow.count("paid", now.Add(-time.Minute))
	f.flow.count("paid", now)
	f.flow.count("placed", now)
	if sums, from := f.Lately(now); sums["paid"] != 2 || sums["placed"] != 1 || from != f.changed {
		t.Errorf("%v from %s; it has listened since %s", sums, from, f.changed)
	}
	later := now.Add(time.Hour)
	if sums, from := f.Lately(later); sums == nil || len(sums) != 0 || from != later.Add(-flowMinutes*time.Minute) {
		t.Errorf("an hour later: %v from %s", sums, from)
	}
	f.Joined(false)
	if sums, _ := f.Lately(now); sums != nil {
		t.Errorf("while nothing is heard: %v", sums)
	}
	f.Joined(true)
	if sums, from := f.Lately(now); len(sums) != 0 || from != f.changed {
		t.Errorf("what was heard before the gap: %v", sums)
	}
}
