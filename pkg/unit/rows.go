package unit

import (
	"cmp"
	"maps"
	"slices"
)

// Rows is the rows of one table in a unit of work, each once (the identity map), by their keys. The zero value is empty.
type Rows[K cmp.Ordered, R any] struct {
	named   map[K]bool
	now     map[K]R
	stored  map[K]bool
	changed []K // in the order of their first change
}

// Name says that the row of a key is needed.
func (r *Rows[K, R]) Name(key K) {
	if r.named == nil {
		r.named, r.now, r.stored = map[K]bool{}, map[K]R{}, map[K]bool{}
	}
	r.named[key] = true
}

// Named returns the keys of the rows that are needed, sorted: the order in which to lock them.
func (r *Rows[K, R]) Named() []K { return slices.Sorted(maps.Keys(r.named)) }

// Loaded adds a row as it is stored.
func (r *Rows[K, R]) Loaded(key K, row R) {
	r.Name(key)
	r.now[key], r.stored[key] = row, true
}

// Get returns the current state of a row. known is false when there is none.
func (r *Rows[K, R]) Get(key K) (row R, known bool) {
	row, known = r.now[key]
	return row, known
}

// Put replaces a row, or adds one.
func (r *Rows[K, R]) Put(key K, row R) {
	r.Name(key)
	r.now[key] = row
	if !slices.Contains(r.changed, key) {
		r.changed = append(r.changed, key)
	}
}

// Changes returns the rows that were added and those that were replaced, in their current state and in the order of their
// first change.
func (r *Rows[K, R]) Changes() (added, replaced []R) {
	for _, key := range r.changed {
		if r.stored[key] {
			replaced = append(replaced, r.now[key])
		} else {
			added = append(added, r.now[key])
		}
	}
	return added, replaced
}
