package lru_test

import (
	"fmt"
	"testing"

	"example.com/orderflow/pkg/lru"
)

func TestEntriesThatWereNotUsedForLongestAreForgotten(t *testing.T) {
	t.Parallel()
	m := lru.New[string, int](3, 100)
	for i := range 1000 {
		m.Put(fmt.Sprint(i), i, 10)
		m.Get("0")
	}
	if m.Len() != 3 {
		t.Errorf("%d entries", m.Len())
	}
	for key, want := range map[string]bool{"0": true, "999": true, "998": true, "997": false, "1": false} {
		if _, ok := m.Get(key); ok != want {
			t.Errorf("%s: %t", key, ok)
		}
	}
}

func TestTheTotalWeightIsBounded(t *testing.T) {
	t.Parallel()
	m := lru.New[string, int](1000, 100)
	for i := range 20 {
		m.Put(fmt.Sprint(i), i, 30)
	}
	if m.Put("19", 19, 10); m.Len() != 3 {
		t.Errorf("%d entries", m.Len())
	}
	if m.Put("too heavy", 1, 101); m.Len() != 0 {
		t.Errorf("%d entries beside one that is heavier than all may be", m.Len())
	}
}
