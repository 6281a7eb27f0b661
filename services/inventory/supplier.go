package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/telemetry"
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

// supplierSettings are the address of the supplier, and limits for calling it.
type supplierSettings struct {
	URLs    client.URLs   `env:"URL" envDefault:"http://localhost:8090/supplier"` // the supplier
	Timeout time.Duration `env:"TIMEOUT" envDefault:"2s"`                         // of one attempt; a call with all its attempts has 8 s
	Slots   uint          `env:"SLOTS" envDefault:"4"`                            // supplier orders for which one replica calls the supplier at the same time
}

// httpSupplier is the supplier's HTTP API.
type httpSupplier struct {
	client *client.Client
	calls  *telemetry.Counter
}

// newHTTPSupplier returns a client of a supplier. The supplier honours Idempotency-Key, so the client may also repeat an order
// whose answer was lost.
func newHTTPSupplier(s supplierSettings, log *slog.Logger) *httpSupplier {
	return &httpSupplier{
		client: client.New(client.Config{Name: "supplier", URLs: s.URLs, Log: log, Timeout: s.Timeout, Bulkhead: s.Slots, RetryAmbiguous: true}),
		calls:  telemetry.NewCounter("inventory_supplier_calls", "Calls of the supplier, by call and outcome.", "call", "outcome"),
	}
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

func (h *httpSupplier) order(ctx context.Context, key, sku string, quantity int) (d delivery, err error) {
	defer func() { h.count(ctx, "order", true, err) }()
	wanted := struct {
		SKU      string `json:"sku"`
		Quantity int    `json:"quantity"`
	}{sku, quantity}
	var o supplied
	_, err = h.client.JSON(ctx, http.MethodPost, "/orders", http.Header{"Idempotency-Key": {key}}, wanted, &o)
	failpoint.At("inventory.ordered")
	if err != nil {
		return delivery{}, fmt.Errorf("order %s: %w", key, err)
	}
	return o.delivery(), nil
}

func (h *httpSupplier) find(ctx context.Context, key string) (d delivery, known bool, err error) {
	defer func() { h.count(ctx, "find", known, err) }()
	var found struct {
		Items []supplied `json:"items"`
	}
	_, err = h.client.JSON(ctx, http.MethodGet, "/orders?key="+url.QueryEscape(key), nil, nil, &found)
	failpoint.At("inventory.found")
	if err != nil {
		return delivery{}, false, fmt.Errorf("find order %s: %w", key, err)
	}
	i := slices.IndexFunc(found.Items, func(o supplied) bool { return o.Key == key })
	if i < 0 {
		return delivery{}, false, nil
	}
	return found.Items[i].delivery(), true, nil
}
