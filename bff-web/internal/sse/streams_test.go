package sse

import (
	"testing"

	"example.com/orderflow/pkg/fault"
)

func TestOnePersonCannotTakeAllStreams(t *testing.T) {
	t.Parallel()
	const streamsOfOne = 100
	s := NewStreams(1000, streamsOfOne)
	var leave func()
	for range streamsOfOne {
		var err error
		if leave, err = s.Enter("alice"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Enter("alice"); fault.KindOf(err) != fault.TooMany {
		t.Errorf("one more: %v", err)
	}
	if _, err := s.Enter("bob"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	leave()
	if _, err := s.Enter("alice"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}
