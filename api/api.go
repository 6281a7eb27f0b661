// Package api has the contracts of Orderflow: the HTTP API behind the gateway (OpenAPI), and the messages on RabbitMQ
// (AsyncAPI). The programs and the tests read the documents from here, so that there is one copy of each.
package api

import _ "embed"

// OpenAPI is openapi.yaml: every route behind the gateway.
//
//go:embed openapi.yaml
var OpenAPI []byte

// AsyncAPI is asyncapi.yaml: every message.
//
//go:embed asyncapi.yaml
var AsyncAPI []byte
