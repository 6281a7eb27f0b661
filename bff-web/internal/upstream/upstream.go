// Package upstream asks the services on behalf of a visitor, and says what could not be had.
package upstream

import "example.com/orderflow/pkg/client"

// Self is the name of this program among the others.
const Self = "bff-web"

// Service is a service by its name.
type Service struct {
	Name   string
	Client *client.Client
}

// Services are all services. The pages show data of four of them, and operators see them all.
type Services struct {
	Orders, Payments, Inventory, Shipping *client.Client

	All []Service // sorted by name
}
