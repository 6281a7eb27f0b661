// Package lru has a map of bounded size, for entries that come from outside.
package lru

import "container/list"

// Map is a map that forgets the entries that were not used for longest. It has no lock: its owner must have one.
type Map[K comparable, V any] struct {
	entries int // at most
	weight  int // of all together, at most; 0: no limit

	used  *list.List // of *kept[K, V], the latest first
	all   map[K]*list.Element
	heavy int
}

type kept[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

// New returns an empty map of at most so many entries, and of at most so much weight in all; weight 0 is no limit.
func New[K comparable, V any](entries, weight int) *Map[K, V] {
	return &Map[K, V]{entries: entries, weight: weight, used: list.New(), all: map[K]*list.Element{}}
}

// Get returns the value of a key.
func (l *Map[K, V]) Get(key K) (value V, ok bool) {
	e, ok := l.all[key]
	if !ok {
		return value, false
	}
	l.used.MoveToFront(e)
	return e.Value.(*kept[K, V]).value, true //nolint:forcetypeassert // Put has put it there
}

// Put sets the value of a key, and forgets others until it fits in.
func (l *Map[K, V]) Put(key K, value V, weight int) {
	if e, ok := l.all[key]; ok {
		l.forget(e)
	}
	l.all[key] = l.used.PushFront(&kept[K, V]{key, value, weight})
	l.heavy += weight
	for l.used.Len() > l.entries || l.weight > 0 && l.heavy > l.weight {
		l.forget(l.used.Back())
	}
}

// Len returns the number of entries.
func (l *Map[K, V]) Len() int { return l.used.Len() }

func (l *Map[K, V]) forget(e *list.Element) {
	k := l.used.Remove(e).(*kept[K, V]) //nolint:forcetypeassert // Put has put it there
	delete(l.all, k.key)
	l.heavy -= k.weight
}
