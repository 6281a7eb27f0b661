package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func shared(t *testing.T) *Document {
	t.Helper()
	d, err := Shared()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// asInstance returns an example as it would be read from a body.
func asInstance(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return instance
}

func TestEveryExampleOfTheDocumentFitsItsSchema(t *testing.T) {
	t.Parallel()
	d := shared(t)
	n := 0
	bodies := func(where string, content openapi3.Content) {
		for media, m := range content {
			if m.Schema.Ref == "" {
				continue // a text
			}
			examples := examplesOf(m)
			if len(examples) == 0 {
				t.Errorf("%s has no example as %s", where, media)
			}
			for name, value := range examples {
				n++
				if err := d.instance(placeOf(m.Schema, ""), asInstance(t, value), func(string) {}); err != nil {
					t.Errorf("%s, the example %s: %v", where, name, err)
				}
			}
		}
	}
	for path, item := range d.api.Paths.Map() {
		for method, o := range item.Operations() {
			for _, p := range parametersOf(item, o) {
				if p.Example != nil {
					n++
					if err := p.Schema.Value.VisitJSON(p.Example, openapi3.EnableJSONSchema2020()); err != nil {
						t.Errorf("%s %s, the parameter %s: %v", method, path, p.Name, err)
					}
				}
			}
			if o.RequestBody != nil {
				bodies(method+" "+path, o.RequestBody.Value.Content)
			}
			for status, answer := range o.Responses.Map() {
				bodies(method+" "+path+" "+status, answer.Value.Content)
			}
		}
	}
	for name, header := range d.api.Components.Headers {
		if header.Value.Example != nil {
			n++
			if err := d.fits("#/components/headers/"+name+"/schema", asInstance(t, header.Value.Example)); err != nil {
				t.Errorf("the header %s: %v", name, err)
			}
		}
	}
	for name, schema := range d.api.Components.Schemas {
		for _, value := range schema.Value.Examples {
			n++
			if err := d.fits("#/components/schemas/"+name, asInstance(t, value)); err != nil {
				t.Errorf("the schema %s: %v", name, err)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d examples were found", n)
	}
}

// Each type of problem has an example, and each status the name of its type.
func TestEveryTypeOfProblemHasAnExample(t *testing.T) {
	t.Parallel()
	d := shared(t)
	types := d.api.Components.Schemas["Problem"].Value.Properties["type"].Value.Enum
	for _, one := range types {
		name := fmt.Sprint(one)[strings.LastIndexAny(fmt.Sprint(one), ":/")+1:]
		example := d.api.Components.Examples[name]
		if example == nil || example.Value.Summary == "" {
			t.Errorf("there is no example %s, or it does not say what to do", name)
			continue
		}
		value := asInstance(t, example.Value.Value)
		if err := d.instance(d.component(problemRef), value, func(string) {}); err != nil {
			t.Errorf("the example %s: %v", name, err)
		}
		if got := value.(map[string]any)["type"]; got != one {
			t.Errorf("the example %s has the type %v", name, got)
		}
	}
	for status, about := range extension[map[string]struct{ Type string }](d.api.Components.Responses["Problem"].Value.Extensions, extraStatuses) {
		example := d.api.Components.Examples[about.Type]
		if example == nil || fmt.Sprint(asInstance(t, example.Value.Value).(map[string]any)["status"]) != status {
			t.Errorf("the status %s has the type %q", status, about.Type)
		}
	}
}
