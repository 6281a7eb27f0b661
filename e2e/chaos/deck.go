package chaos

import "math/rand/v2"

// deck deals things in random order, each of them once before any is dealt again.
type deck[T any] struct {
	of   []T
	left []T
}

// draw takes the first thing that is wanted. Those before it stay in place. If none of the rest is wanted, it searches a
// fresh deck, too.
func (d *deck[T]) draw(dice *rand.Rand, want func(T) bool) (thing T, ok bool) {
	for range 2 {
		for i, thing := range d.left {
			if want(thing) {
				d.left = append(d.left[:i:i], d.left[i+1:]...)
				return thing, true
			}
		}
		fresh := append([]T(nil), d.of...)
		dice.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
		d.left = append(d.left, fresh...)
	}
	return thing, false
}
