package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// journal is the book of an outside system, which lists its entries in the order in which they happened. It is copied page by
// page into files, one for each part of the books, so that sorting it needs little memory.
type journal[T any] struct {
	path   string // prefix of the files' paths; the number of the part is appended
	bounds []string
	about  func(T) string
}

// copy reads all pages. The last page is shorter than the others.
func (j journal[T]) copy(ctx context.Context, address string) error {
	for read := 0; ; read += pageSize {
		var page struct{ Items []T }
		if err := ask(ctx, fmt.Sprintf("%s?after=%d&limit=%d", address, read, pageSize), &page); err != nil {
			return err
		}
		for part, items := range group(page.Items, func(thing T) int { return j.part(j.about(thing)) }) {
			if err := j.append(part, items); err != nil {
				return err
			}
		}
		if len(page.Items) < pageSize {
			return nil
		}
	}
}

// part is the number of the part that an id belongs to: the first one whose bound is above the id.
func (j journal[T]) part(id string) int {
	n, found := slices.BinarySearch(j.bounds, id)
	if found {
		n++
	}
	return n
}

func (j journal[T]) file(part int) string { return fmt.Sprintf("%s-%d", j.path, part) }

// append opens the file each time: a page has entries of one or two parts, and there may be thousands of parts.
func (j journal[T]) append(part int, items []T) error {
	file, err := os.OpenFile(j.file(part), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(file).Encode(items), file.Close())
}

// into is the journal as a book that fills a field of a part. The entries are in the order in which they happened.
func (j journal[T]) into(field func(*Books) *[]T) book {
	return func(_ context.Context, bound string, part *Books) error {
		number := len(j.bounds)
		if bound != unbounded {
			number, _ = slices.BinarySearch(j.bounds, bound)
		}
		file, err := os.Open(j.file(number))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // only read
		for pages := json.NewDecoder(file); ; {
			var items []T
			err := pages.Decode(&items)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			*field(part) = append(*field(part), items...)
		}
	}
}
