// Package lru is a map that strangers cannot make grow.
package lru

import "container/list"

// Map forgets what was not used for longest. It needs its owner's lock.
type Map[V any] struct {
	entries int // at most
	weight  int // of all together, at most; 0: it does not matter

	used  *list.List // of *kept[V], the latest first
	all   map[string]*list.Element
	heavy int
}

type kept[V any] struct {
	key    string
	value  V
	weight int
}

// New returns an empty map of at most so many entries, and of at most so much weight in all.
func New[V any](entries, weight int) *Map[V] {
	return &Map[V]{entries: entries, weight: weight, used: list.New(), all: map[string]*list.Element{}}
}

// Get returns what is kept under a key.
func (l *Map[V]) Get(key string) (value V, ok bool) {
	e, ok := l.all[key]
	if !ok {
		return value, false
	}
	l.used.MoveToFront(e)
	return e.Value.(*kept[V]).value, true //nolint:forcetypeassert // Put has put it there
}

// Put keeps something under a key, and forgets others until it fits in.
func (l *Map[V]) Put(key string, value V, weight int) {
	if e, ok := l.all[key]; ok {
		l.forget(e)
	}
	l.all[key] = l.used.PushFront(&kept[V]{key, value, weight})
	l.heavy += weight
	for l.used.Len() > l.entries || l.weight > 0 && l.heavy > l.weight {
		l.forget(l.used.Back())
	}
}

// Len is how many are kept.
func (l *Map[V]) Len() int { return l.used.Len() }

func (l *Map[V]) forget(e *list.Element) {
	k := l.used.Remove(e).(*kept[V]) //nolint:forcetypeassert // Put has put it there
	delete(l.all, k.key)
	l.heavy -= k.weight
}
