package contract

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Operation is what a test needs to know of an operation that it knows nothing about.
type Operation struct {
	ID, Method, Path string
	Scope            string // that a token needs; empty: no token is needed
	Body             string // an example of its JSON; empty: it has no JSON
	Statuses         []int
}

// Operations returns all operations, by their ids.
func (d *Document) Operations() (all []Operation) {
	for path, item := range d.api.Paths.Map() {
		for method, o := range item.Operations() {
			one := Operation{ID: o.OperationID, Method: method, Path: path, Scope: d.scope(o)}
			if o.RequestBody != nil && o.RequestBody.Value.Content["application/json"] != nil {
				for _, value := range examplesOf(o.RequestBody.Value.Content["application/json"]) {
					text, err := json.Marshal(value)
					if err != nil {
						panic(err) // it was read from JSON
					}
					one.Body = string(text)
				}
			}
			for status := range o.Responses.Map() {
				if code, err := strconv.Atoi(status); err == nil { // not default
					one.Statuses = append(one.Statuses, code)
				}
			}
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// scope returns the scope that a token needs; empty: no token is needed.
func (d *Document) scope(o *openapi3.Operation) string {
	security := d.api.Security
	if o.Security != nil {
		security = *o.Security
	}
	for _, way := range security {
		if scopes := way["bearer"]; len(scopes) > 0 {
			return scopes[0]
		}
	}
	return ""
}

// examplesOf returns the examples of a body by their names.
func examplesOf(m *openapi3.MediaType) map[string]any {
	all := map[string]any{}
	if m.Example != nil {
		all["example"] = m.Example
	}
	for _, name := range slices.Sorted(maps.Keys(m.Examples)) {
		all[name] = m.Examples[name].Value.Value
	}
	return all
}
