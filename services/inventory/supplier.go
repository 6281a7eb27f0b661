package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/failpoint"
)

// supplier sells more units to the shop.
type supplier interface {
	// order orders units. Under a key that was used before, it orders nothing and returns the earlier answer.
	order(ctx context.Context, key, sku string, quantity int) (delivery, error)
	// find returns the order that was placed under a key. known is false if there is none.
	find(ctx context.Context, key string) (d delivery, known bool, err error)
}

// delivery is the progress of an order at the supplier.
type delivery struct {
	arrived bool
	expects time.Time // when it will arrive, or should have arrived
}

// httpSupplier is the supplier's HTTP API.
type httpSupplier struct{ client *client.Client }

// newSupplier returns a client of a supplier. The supplier honours Idempotency-Key, so the client may also repeat an order
// whose answer was lost.
func newSupplier(urls client.URLs, cfg client.Config, log *slog.Logger) httpSupplier {
	cfg.Name, cfg.URLs, cfg.Log, cfg.RetryAmbiguous = "supplier", urls, log, true
	return httpSupplier{client.New(cfg)}
}

// supplied is an order as the API shows it.
type supplied struct {
	Key       string    `json:"key"`
	Status    string    `json:"status"` // ordered, or delivered after the lead time
	ArrivesAt time.Time `json:"arrives_at"`
}

func (o supplied) delivery() delivery {
	return delivery{arrived: o.Status == "delivered", expects: o.ArrivesAt}
}

func (s httpSupplier) order(ctx context.Context, key, sku string, quantity int) (delivery, error) {
	wanted := struct {
		SKU      string `json:"sku"`
		Quantity int    `json:"quantity"`
	}{sku, quantity}
	var o supplied
	_, err := s.client.JSON(ctx, http.MethodPost, "/orders", http.Header{"Idempotency-Key": {key}}, wanted, &o)
	failpoint.At("inventory.ordered")
	return o.delivery(), err
}

func (s httpSupplier) find(ctx context.Context, key string) (delivery, bool, error) {
	var found struct {
		Items []supplied `json:"items"`
	}
	_, err := s.client.JSON(ctx, http.MethodGet, "/orders?key="+url.QueryEscape(key), nil, nil, &found)
	failpoint.At("inventory.found")
	if err != nil {
		return delivery{}, false, err
	}
	i := slices.IndexFunc(found.Items, func(o supplied) bool { return o.Key == key })
	if i < 0 {
		return delivery{}, false, nil
	}
	return found.Items[i].delivery(), true, nil
}
