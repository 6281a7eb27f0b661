package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"example.com/orderflow/local/direct"
)

const (
	pageSize  = 1000
	askTries  = 5 // the outside world may be told to fail now and then
	askPause  = 300 * time.Millisecond
	askWithin = 30 * time.Second
)

// openWorld adds the books of the outside systems to the shelves.
func (s *shelves) openWorld(ctx context.Context, simulator string) error {
	dir, err := os.MkdirTemp("", "orderflow-audit-")
	if err != nil {
		return fmt.Errorf("folder for the journals: %w", err)
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(dir) }) // no longer needed
	ledger := journal[Entry]{filepath.Join(dir, "ledger"), s.bounds, func(e Entry) string { return e.Reference }}
	parcels := journal[Parcel]{filepath.Join(dir, "parcels"), s.bounds, func(p Parcel) string { return p.Reference }}
	deliveries := journal[Delivery]{filepath.Join(dir, "deliveries"), s.bounds, func(d Delivery) string { return d.Key }}
	if err := ledger.copy(ctx, simulator+"/provider/ledger"); err != nil {
		return fmt.Errorf("read the provider's ledger: %w", err)
	}
	if err := parcels.copy(ctx, simulator+"/carrier/journal"); err != nil {
		return fmt.Errorf("read the carrier's journal: %w", err)
	}
	if err := deliveries.copy(ctx, simulator+"/supplier/journal"); err != nil {
		return fmt.Errorf("read the supplier's journal: %w", err)
	}
	s.add("ledger", ledger.into(func(b *Books) *[]Entry { return &b.Ledger }))
	s.add("parcels", parcels.into(func(b *Books) *[]Parcel { return &b.Parcels }))
	s.add("deliveries", deliveries.into(func(b *Books) *[]Delivery { return &b.Deliveries }))
	return nil
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
	defer response.Body.Close() //nolint:errcheck // read to its end, or no longer needed
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
