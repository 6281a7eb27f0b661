// Package contract compares what clients and the gateway send each other with the document of the API, api/openapi.yaml. A request
// that the document calls invalid must be refused. Of an answer, the document must have the status, the header fields, the media type
// and each field. The package also remembers what it has seen, because what is only in the document is wrong as well.
// docs/adr/0047 says why.
package contract

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/orderflow/api"
)

// Document is a document of an API, and what has been seen of it. It may be used by many goroutines at the same time.
type Document struct {
	api     *openapi3.T
	routes  routers.Router
	schemas map[string]*jsonschema.Schema // by reference, such as #/components/schemas/Order
	always  []string                      // header fields that can be in any answer

	mu   sync.Mutex
	seen map[string]bool // see Unseen
	late []string        // see Transport
}

// Shared returns the document of the API, which all tests of a package share.
var Shared = sync.OnceValues(func() (*Document, error) { return Load(api.OpenAPI) })

// Load reads a document of OpenAPI 3.1. It compiles all schemas once: kin-openapi compiles a schema each time that it validates
// something, which takes some milliseconds.
func Load(text []byte) (*Document, error) {
	d := &Document{schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	var err error
	if d.api, err = openapi3.NewLoader().LoadFromData(text); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if err := d.api.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil { // a test looks at the examples
		return nil, fmt.Errorf("the document is not OpenAPI: %w", err)
	}
	d.always = extension[[]string](d.api.Extensions, extraHeaders)
	if d.routes, err = gorillamux.NewRouter(d.api); err != nil {
		return nil, fmt.Errorf("routes of the document: %w", err)
	}
	plain, err := d.api.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write the document as JSON: %w", err)
	}
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		return nil, fmt.Errorf("read the document as JSON: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", resource); err != nil {
		return nil, fmt.Errorf("schemas of the document: %w", err)
	}
	var refs []string
	for name := range d.api.Components.Schemas {
		refs = append(refs, "#/components/schemas/"+name)
	}
	for name := range d.api.Components.Headers {
		refs = append(refs, "#/components/headers/"+name+"/schema")
	}
	for _, ref := range refs {
		if d.schemas[ref], err = compiler.Compile("openapi.json" + ref); err != nil {
			return nil, fmt.Errorf("compile the schema %s: %w", ref, err)
		}
	}
	return d, nil
}

// operation is an operation of the document, and the request for it.
type operation struct {
	*routers.Route
	params map[string]string
	method string // GET for a HEAD
}

// find returns the operation that a request asks for; false: the document has none.
func (d *Document) find(r *http.Request) (operation, bool) {
	asked := r.Clone(r.Context())
	if asked.Method == http.MethodHead {
		asked.Method = http.MethodGet
	}
	asked.URL.Scheme, asked.URL.Host, asked.Host = "", "", "" // the server of the document is "/"
	route, params, err := d.routes.FindRoute(asked)
	if err != nil {
		return operation{}, false
	}
	return operation{route, params, asked.Method}, true
}

// ofAPI reports whether a path belongs to the API, and not to the pages.
func ofAPI(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/oauth/") || strings.HasPrefix(path, "/.well-known/")
}

// fits returns what is wrong with a value as an instance of a schema, which must be one of the components.
func (d *Document) fits(ref string, value any) error {
	schema, ok := d.schemas[ref]
	if !ok {
		return fmt.Errorf("the document has no schema %q; schemas of JSON must be components", ref)
	}
	return schema.Validate(value)
}
