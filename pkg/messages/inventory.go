package messages

import "fmt"

// ReserveStock tells inventory to hold an order's lines, all of them or none.
type ReserveStock struct {
	OrderID        string `json:"order_id"`
	Lines          []Line `json:"lines"`
	AllowBackorder bool   `json:"allow_backorder"` // wait for new stock instead of giving up
}

// ReleaseStock tells inventory to put back whatever it holds for an order, and never to hold anything for it again.
type ReleaseStock struct {
	OrderID string `json:"order_id"`
}

// StockReserved reports that an order's lines are held.
type StockReserved struct {
	OrderID string `json:"order_id"`
}

// StockBackordered reports that an order waits for new stock.
type StockBackordered struct {
	OrderID string `json:"order_id"`
	Missing []Line `json:"missing"` // the products of which there is too little, and how many units are missing
}

// StockRejected reports that there is too little stock and that the order may not wait.
type StockRejected struct {
	OrderID string `json:"order_id"`
	Missing []Line `json:"missing"`
}

// StockReleased reports that nothing is held for an order, and nothing ever will be.
type StockReleased struct {
	OrderID string `json:"order_id"`
}

// ProductChanged reports how a product looks now. Orders keeps a copy, so that placing an order needs no other service.
type ProductChanged struct {
	SKU         string `json:"sku"`
	Version     int64  `json:"version"` // rises with every change; a lower one that arrives later is stale
	Name        string `json:"name"`
	Description string `json:"description"`
	Image       string `json:"image"`
	Price       Money  `json:"price"`
	Retired     bool   `json:"retired,omitzero"` // it is not sold any more
}

// StockReplenished reports additional units in stock.
type StockReplenished struct {
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	Available int    `json:"available"` // what can be ordered now
}

func (ReserveStock) Kind() string     { return "inventory.reserve_stock" }
func (ReleaseStock) Kind() string     { return "inventory.release_stock" }
func (StockReserved) Kind() string    { return "inventory.stock_reserved" }
func (StockBackordered) Kind() string { return "inventory.stock_backordered" }
func (StockRejected) Kind() string    { return "inventory.stock_rejected" }
func (StockReleased) Kind() string    { return "inventory.stock_released" }
func (ProductChanged) Kind() string   { return "inventory.product_changed" }
func (StockReplenished) Kind() string { return "inventory.stock_replenished" }

func (m ReserveStock) Subject() string     { return m.OrderID }
func (m ReleaseStock) Subject() string     { return m.OrderID }
func (m StockReserved) Subject() string    { return m.OrderID }
func (m StockBackordered) Subject() string { return m.OrderID }
func (m StockRejected) Subject() string    { return m.OrderID }
func (m StockReleased) Subject() string    { return m.OrderID }
func (m ProductChanged) Subject() string   { return m.SKU }
func (m StockReplenished) Subject() string { return m.SKU }

func (ReserveStock) command() {}
func (ReleaseStock) command() {}

func (StockReplenished) notification() {}

// Validate checks that there is at least one line, each with a SKU and a positive quantity.
func (m ReserveStock) Validate() error { return validLines(m.Lines) }

// Validate checks that there is a price in a currency.
func (m ProductChanged) Validate() error {
	if m.Price.Amount < 0 || m.Price.Currency == "" {
		return fmt.Errorf("price %d %q", m.Price.Amount, m.Price.Currency)
	}
	return nil
}
