package main

import "container/list"

// lru is a map that forgets what was not used for longest, so that nobody outside can make it grow. It needs its owner's
// lock.
type lru[V any] struct {
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

func newLRU[V any](entries, weight int) *lru[V] {
	return &lru[V]{entries: entries, weight: weight, used: list.New(), all: map[string]*list.Element{}}
}

func (l *lru[V]) get(key string) (value V, ok bool) {
	e, ok := l.all[key]
	if !ok {
		return value, false
	}
	l.used.MoveToFront(e)
	return e.Value.(*kept[V]).value, true //nolint:forcetypeassert // put has put it there
}

func (l *lru[V]) put(key string, value V, weight int) {
	if e, ok := l.all[key]; ok {
		l.forget(e)
	}
	l.all[key] = l.used.PushFront(&kept[V]{key, value, weight})
	l.heavy += weight
	for l.used.Len() > l.entries || l.weight > 0 && l.heavy > l.weight {
		l.forget(l.used.Back())
	}
}

func (l *lru[V]) forget(e *list.Element) {
	k := l.used.Remove(e).(*kept[V]) //nolint:forcetypeassert // put has put it there
	delete(l.all, k.key)
	l.heavy -= k.weight
}
