package asyncapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schemas are the compiled schemas of the document. With them a message is read strictly: a field that is not in the document
// is an error. So a producer cannot send what nobody has written down. A consumer must not be as strict.
type Schemas struct {
	bodies                map[string]shape
	headers, redeliveries shape
}

// shape is a schema with its fields by their paths.
type shape struct {
	*jsonschema.Schema
	fields map[string]Field
}

const (
	resource  = "https://example.com/asyncapi.yaml#" // the name under which the compiler knows the document
	headersOf = "/components/schemas/Envelope"
	againOf   = "/components/schemas/RedeliveredEnvelope"
)

// Schemas compiles the schemas of the document.
func (d *Document) Schemas() (*Schemas, error) {
	text, err := json.Marshal(d.raw)
	if err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	values, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // the one that AsyncAPI's own schemas extend
	c.AssertFormat()
	if err := c.AddResource(strings.TrimSuffix(resource, "#"), values); err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	compile := func(path string) (shape, error) {
		schema, err := c.Compile(resource + path)
		if err != nil {
			return shape{}, fmt.Errorf("asyncapi.yaml: %w", err)
		}
		return shape{schema, d.fields("#" + path)}, nil
	}
	s := &Schemas{bodies: map[string]shape{}}
	for _, kind := range d.Kinds() {
		if s.bodies[kind], err = compile(payloadOf(kind)); err != nil {
			return nil, err
		}
	}
	if s.headers, err = compile(headersOf); err != nil {
		return nil, err
	}
	s.redeliveries, err = compile(againOf)
	return s, err
}

func payloadOf(kind string) string { return "/components/messages/" + kind + "/payload" }

// Body returns an error if a body is not what the document says about its kind.
func (s *Schemas) Body(kind string, body []byte) error {
	is, known := s.bodies[kind]
	if !known {
		return fmt.Errorf("asyncapi.yaml has no message %q", kind)
	}
	if err := is.check(body); err != nil {
		return fmt.Errorf("the body of %s: %w", kind, err)
	}
	return nil
}

// Headers returns an error if headers are not those of the document. redelivered says whether the message has failed before.
func (s *Schemas) Headers(headers map[string]any, redelivered bool) error {
	is := s.headers
	if redelivered {
		is = s.redeliveries
	}
	text, err := json.Marshal(headers)
	if err == nil {
		err = is.check(text)
	}
	if err != nil {
		return fmt.Errorf("the headers: %w", err)
	}
	return nil
}

func (s shape) check(text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	err = s.Validate(value)
	for _, path := range s.unknown("", value) {
		err = errors.Join(err, fmt.Errorf("asyncapi.yaml has no field %s", path))
	}
	return err
}

// unknown returns the paths of the fields that the document does not have.
func (s shape) unknown(path string, value any) (paths []string) {
	switch value := value.(type) {
	case map[string]any:
		for name, sub := range value {
			at := strings.TrimPrefix(path+"."+name, ".")
			if _, known := s.fields[at]; !known {
				paths = append(paths, at)
				continue
			}
			paths = append(paths, s.unknown(at, sub)...)
		}
	case []any:
		for _, item := range value {
			paths = append(paths, s.unknown(path+"[]", item)...)
		}
	}
	return paths
}

// Field is a field of a body or of the headers.
type Field struct {
	Type        string // of JSON
	Required    bool   // the object that has it always has it
	Enum        []any  // its values; empty: any
	Description string
	Property    string // the AMQP property with the same value; only of headers
}

// Fields returns the fields of the bodies of a kind by their paths, such as lines[].sku.
func (d *Document) Fields(kind string) map[string]Field { return d.fields("#" + payloadOf(kind)) }

func (d *Document) fields(ref string) map[string]Field {
	fields := map[string]Field{}
	d.collect("", map[string]any{"$ref": ref}, fields)
	return fields
}

// collect adds the fields below a schema. It returns the type of the schema.
func (d *Document) collect(path string, schema any, fields map[string]Field) (kind string) {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		target, _ := d.at(ref) // Read has found it
		return d.collect(path, target, fields)
	}
	kind, _ = s["type"].(string)
	parts, _ := s["allOf"].([]any)
	for _, part := range parts {
		kind = d.collect(path, part, fields)
	}
	required, _ := s["required"].([]any)
	for name, sub := range member(s, "properties") {
		at := strings.TrimPrefix(path+"."+name, ".")
		f := Field{Required: slices.Contains(required, any(name))}
		f.Description, _ = member(s["properties"], name)["description"].(string)
		f.Property, _ = member(s["properties"], name)["x-property"].(string)
		f.Type = d.collect(at, sub, fields)
		f.Enum = d.enum(sub)
		fields[at] = f
	}
	if items, ok := s["items"]; ok {
		d.collect(path+"[]", items, fields)
	}
	return kind
}

// enum returns the values that a schema allows.
func (d *Document) enum(schema any) []any {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		target, _ := d.at(ref) // Read has found it
		return d.enum(target)
	}
	values, _ := s["enum"].([]any) // none: any value
	return values
}

// Headers returns the headers that each message may have, and those that only redelivered ones have, in the order of the
// document.
func (d *Document) Headers() (each, redelivered Ordered[Field]) {
	fields := d.fields("#" + againOf)
	ordered := func(s Schema) (all Ordered[Field]) {
		for _, name := range s.Properties.Keys() {
			all = append(all, Entry[Field]{name, fields[name]})
		}
		for _, part := range s.AllOf {
			for _, name := range part.Properties.Keys() {
				all = append(all, Entry[Field]{name, fields[name]})
			}
		}
		return all
	}
	return ordered(d.Components.Schemas.Get("Envelope")), ordered(d.Components.Schemas.Get("RedeliveredEnvelope"))
}

func member(of any, name string) map[string]any {
	object, _ := of.(map[string]any)
	sub, _ := object[name].(map[string]any) // a missing one is empty
	return sub
}
