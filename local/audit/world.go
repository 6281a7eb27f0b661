package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"example.com/orderflow/local/direct"
)

const (
	pageSize  = 1000
	askTries  = 5 // the world outside may be told to fail now and then
	askPause  = 300 * time.Millisecond
	askWithin = 30 * time.Second
)

// readWorld reads the books of those outside.
func readWorld(ctx context.Context, simulator string, b *Books) (err error) {
	if b.Ledger, err = readBook[Entry](ctx, simulator+"/provider/ledger"); err != nil {
		return fmt.Errorf("read the provider's ledger: %w", err)
	}
	if b.Parcels, err = readBook[Parcel](ctx, simulator+"/carrier/journal"); err != nil {
		return fmt.Errorf("read the carrier's journal: %w", err)
	}
	if b.Deliveries, err = readBook[Delivery](ctx, simulator+"/supplier/journal"); err != nil {
		return fmt.Errorf("read the supplier's journal: %w", err)
	}
	return nil
}

// readBook reads page after page. The last one is shorter than the others.
func readBook[T any](ctx context.Context, address string) (book []T, err error) {
	for {
		var page struct{ Items []T }
		if err := ask(ctx, fmt.Sprintf("%s?after=%d&limit=%d", address, len(book), pageSize), &page); err != nil {
			return nil, err
		}
		if book = append(book, page.Items...); len(page.Items) < pageSize {
			return book, nil
		}
	}
}

func ask(ctx context.Context, address string, into any) (err error) {
	for range askTries {
		if err = get(ctx, address, into); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askPause):
		}
	}
	return err
}

func get(ctx context.Context, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := direct.Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end, or of no more use
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
