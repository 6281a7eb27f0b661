package e2e

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"example.com/orderflow/e2e/contract/client"
	"example.com/orderflow/e2e/stories"
)

// A client that was generated from the document needs nothing else to buy something and to follow it to its delivery.
func TestAGeneratedClientBuysSomething(t *testing.T) {
	t.Parallel()
	c := stories.New(t, world(together(t)))
	ctx := t.Context()
	token := ""
	shop, err := client.NewClientWithResponses(c.Gateway, client.WithHTTPClient(c.HTTP), client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return nil
	}))
	good := func(err error) {
		t.Helper()
		if err != nil { // then there is no answer to look at
			t.Fatal(err)
		}
	}
	good(err)
	id, secret := "alice", demoSecret
	granted, err := shop.IssueTokenWithFormdataBodyWithResponse(ctx, client.TokenRequest{GrantType: client.ClientCredentials, ClientId: &id, ClientSecret: &secret})
	if good(err); granted.JSON200 == nil {
		t.Fatalf("the token: %s", granted.Body)
	}
	token = granted.JSON200.AccessToken

	words, limit := "mug", 1
	products, err := shop.ListProductsWithResponse(ctx, &client.ListProductsParams{Q: &words, Limit: &limit})
	if good(err); products.JSON200 == nil || len(products.JSON200.Items) != 1 {
		t.Fatalf("the products: %s", products.Body)
	}
	mug := products.JSON200.Items[0]
	placed, err := shop.PlaceOrderWithResponse(ctx, &client.PlaceOrderParams{IdempotencyKey: uuid.NewString()}, client.NewOrder{
		Lines: []client.Line{{Sku: mug.Sku, Quantity: 2}}, PaymentMethod: "tok_visa",
		ShippingAddress: client.Address{Name: "Alice", Street: stories.Street, City: "Berlin", PostalCode: "10115", Country: "DE"},
	})
	if good(err); placed.JSON202 == nil {
		t.Fatalf("the order: %s", placed.Body)
	}
	order := placed.JSON202
	if order.Status != client.OrderStatusPlaced || order.Total.Amount != 2*mug.Price.Amount || placed.Headers202.Location != order.Links.Self {
		t.Errorf("the order is %s, costs %+v, and is at %s", order.Status, order.Total, placed.Headers202.Location)
	}
	stories.Until(t, "the order is delivered", func() bool {
		tracked, err := shop.TrackOrderWithResponse(ctx, order.Id, nil)
		if good(err); tracked.JSON200 == nil {
			t.Fatalf("the tracking: %s", tracked.Body)
		}
		now := tracked.JSON200
		if now.Status != client.OrderStatusDelivered {
			return false
		}
		if last := now.Timeline[len(now.Timeline)-1]; last.Event != client.OrderEventShipmentDelivered {
			t.Errorf("the last event is %s", last.Event)
		}
		return true
	})
	refused, err := shop.CancelOrderWithResponse(ctx, order.Id, nil, client.Cancellation{})
	if good(err); refused.ApplicationproblemJSON409 == nil || refused.ApplicationproblemJSON409.Detail == "" {
		t.Errorf("a cancellation that is too late: %s", refused.Body)
	}
}
