// Package released has the documents of the API as the last release had them. Tests compare those of today with them
// (docs/compatibility.md). `make release-contracts` copies the documents here.
package released

import _ "embed"

// OpenAPI is the released openapi.yaml.
//
//go:embed openapi.yaml
var OpenAPI []byte

// AsyncAPI is the released asyncapi.yaml.
//
//go:embed asyncapi.yaml
var AsyncAPI []byte
