package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// shelves are all books, read in parallel as in a merge of sorted lists. Each is sorted by the id that it is about, of an order
// or of a supplier order, and is read from bound to bound.
type shelves struct {
	bounds     []string // ids that separate the parts
	books      []book
	catalogues []func(ctx context.Context, into *Books) error // books that are about no id, which are read as a whole
	messages   []Message                                      // of all outboxes
	closers    []func()
}

// book adds its entries below the bound to a part.
type book func(ctx context.Context, bound string, part *Books) error

// unbounded is the bound of the last part.
const unbounded = ""

func (s *shelves) add(name string, read book) {
	s.books = append(s.books, func(ctx context.Context, bound string, part *Books) error { return wrap(name, read(ctx, bound, part)) })
}

// wrap adds to an error what was being read.
func wrap(what string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}

func (s *shelves) read(ctx context.Context, bound string) (part Books, err error) {
	for _, read := range s.books {
		if err := read(ctx, bound, &part); err != nil {
			return part, err
		}
	}
	return part, nil
}

func (s *shelves) close() {
	for _, close := range slices.Backward(s.closers) {
		close()
	}
}

// sorted is things in the order of the ids that they are about. They are read in pieces, so that few are in memory.
type sorted[T any] struct {
	about func(T) string
	more  func(ctx context.Context) ([]T, error) // the next piece; empty at the end
	ahead []T
	ended bool
}

// inMemory sorts things that are already in memory.
func inMemory[T any](things []T, about func(T) string) *sorted[T] {
	ahead := slices.SortedStableFunc(slices.Values(things), func(x, y T) int { return cmp.Compare(about(x), about(y)) })
	return &sorted[T]{about: about, ahead: ahead, ended: true}
}

// below takes the things below a bound.
func (s *sorted[T]) below(ctx context.Context, bound string) (found []T, err error) {
	for {
		n := len(s.ahead)
		if bound != unbounded {
			n, _ = slices.BinarySearchFunc(s.ahead, bound, func(thing T, bound string) int { return cmp.Compare(s.about(thing), bound) })
		}
		found, s.ahead = append(found, s.ahead[:n]...), s.ahead[n:]
		if len(s.ahead) > 0 || s.ended {
			return found, nil
		}
		if s.ahead, err = s.more(ctx); err != nil {
			return nil, err
		}
		s.ended = len(s.ahead) == 0
	}
}

// into makes a book that fills a field of a part.
func (s *sorted[T]) into(field func(*Books) *[]T) book {
	return func(ctx context.Context, bound string, part *Books) (err error) {
		*field(part), err = s.below(ctx, bound)
		return err
	}
}
