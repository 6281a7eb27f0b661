package asyncapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schemas are the compiled schemas of the document. They are closed: a field that is not in the document is an error. So a
// producer cannot send what nobody has written down. A consumer must not be as strict.
type Schemas struct {
	payloads              map[string]*jsonschema.Schema
	headers, redeliveries *jsonschema.Schema
}

const resource = "asyncapi.json"

// Schemas compiles the schemas of the document.
func (d *Document) Schemas() (*Schemas, error) {
	text, err := json.Marshal(d.raw)
	if err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	copied, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	components := member(member(copied, "components"), "schemas")
	for _, schema := range components {
		closeWithin(schema)
	}
	messages := member(member(copied, "components"), "messages")
	for _, kind := range d.Kinds() {
		closeAt(member(messages, kind)["payload"])
	}
	const envelopes = "envelopes.json"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	err = errors.Join(c.AddResource(resource, copied), c.AddResource(envelopes, map[string]any{
		"first": map[string]any{"$ref": resource + "#/components/schemas/Envelope", "unevaluatedProperties": false},
		"again": map[string]any{"$ref": resource + "#/components/schemas/RedeliveredEnvelope", "unevaluatedProperties": false},
	}))
	if err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	s := &Schemas{payloads: map[string]*jsonschema.Schema{}}
	for _, kind := range d.Kinds() {
		if s.payloads[kind], err = c.Compile(resource + "#/components/messages/" + kind + "/payload"); err != nil {
			return nil, fmt.Errorf("asyncapi.yaml: %w", err)
		}
	}
	var err2 error
	s.headers, err = c.Compile(envelopes + "#/first")
	s.redeliveries, err2 = c.Compile(envelopes + "#/again")
	return s, errors.Join(err, err2)
}

// closeAt makes a schema refuse fields that it does not have, in itself and in everything below it.
func closeAt(schema any) {
	if s, ok := schema.(map[string]any); ok {
		s["unevaluatedProperties"] = false
		closeWithin(s)
	}
}

// closeWithin makes everything below a schema refuse fields that it does not have. The parts of an allOf complete each other,
// so none of them is closed by itself.
func closeWithin(schema any) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	for _, sub := range member(s, "properties") {
		closeAt(sub)
	}
	if items, ok := s["items"]; ok {
		closeAt(items)
	}
	parts, _ := s["allOf"].([]any) // none is no error
	for _, part := range parts {
		closeWithin(part)
	}
}

func member(of any, name string) map[string]any {
	object, _ := of.(map[string]any)
	sub, _ := object[name].(map[string]any) // a missing one is empty
	return sub
}

// Body returns an error if a body is not what the document says about its kind.
func (s *Schemas) Body(kind string, body []byte) error {
	schema := s.payloads[kind]
	if schema == nil {
		return fmt.Errorf("asyncapi.yaml has no message %s", kind)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

// Headers returns an error if headers are not those of the document. redelivered says whether the message has failed before.
func (s *Schemas) Headers(headers map[string]any, redelivered bool) error {
	schema := s.headers
	if redelivered {
		schema = s.redeliveries
	}
	if err := schema.Validate(headers); err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	return nil
}

// Field is a field of a body or of the headers.
type Field struct {
	Type        string // of JSON
	Required    bool   // the object that has it always has it
	Description string
	Property    string // the AMQP property with the same value; only of headers
}

// Fields returns the fields of the bodies of a kind by their paths, such as lines[].sku.
func (d *Document) Fields(kind string) map[string]Field {
	fields := map[string]Field{}
	d.collect("", d.Components.Messages.Get(kind).Payload, fields)
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
		at := name
		if path != "" {
			at = path + "." + name
		}
		f := Field{Required: slices.Contains(required, any(name))}
		f.Description, _ = member(s["properties"], name)["description"].(string)
		f.Property, _ = member(s["properties"], name)["x-property"].(string)
		f.Type = d.collect(at, sub, fields)
		fields[at] = f
	}
	if items, ok := s["items"]; ok {
		d.collect(path+"[]", items, fields)
	}
	return kind
}

// Headers returns the headers that each message may have, and those that only redelivered ones have, in the order of the
// document.
func (d *Document) Headers() (each, redelivered Ordered[Field]) {
	fields := map[string]Field{}
	d.collect("", member(member(d.raw, "components"), "schemas")["RedeliveredEnvelope"], fields)
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
