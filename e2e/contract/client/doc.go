// Package client is a client of the API that oapi-codegen has generated from api/openapi.yaml, as an integrator would generate one in
// their own language. A test buys something with it.
package client
