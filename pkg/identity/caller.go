// Package identity verifies bearer tokens and tells who the caller is. Every program that acts for a caller verifies the
// token itself and trusts nothing else in the request.
package identity

import (
	"context"
	"slices"
)

// Scopes that tokens carry.
const (
	ScopeOrders     = "orders"     // place, see and cancel one's own orders
	ScopeOperations = "operations" // see every order, mend what is stuck, keep the catalogue and the stock
	ScopeParcels    = "parcels"    // see the addresses of all parcels on their way, and move the parcels: the carrier's courier, no shopper or operator
)

// Caller is the person or program that a request comes from.
type Caller struct {
	ID     string // the token's subject
	Scopes []string
}

// Has reports whether the caller was given a scope.
func (c Caller) Has(scope string) bool { return slices.Contains(c.Scopes, scope) }

type callerKey struct{}

// With returns ctx with the caller of a request.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From returns the caller of a request: the zero Caller when the request was not authenticated.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
