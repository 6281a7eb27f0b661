package reference

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is the part of an OpenAPI 3.1 document that the page shows.
type document struct {
	Info struct {
		Title, Version, Summary, Description string
	}
	Tags []struct {
		Name, Description string
	}
	Security   []security
	Paths      ordered[pathItem]
	Components struct {
		Schemas       ordered[*schema]
		Parameters    ordered[*parameter]
		Headers       ordered[*header]
		Responses     ordered[*response]
		RequestBodies ordered[*body] `yaml:"requestBodies"`
		Examples      ordered[*example]
	}
}

// security is an alternative: the schemes that a request needs, each with its scopes.
type security map[string][]string

type pathItem struct {
	Parameters                    []*parameter
	Get, Put, Post, Delete, Patch *operation
}

type operation struct {
	ID          string `yaml:"operationId"`
	Tags        []string
	Summary     string
	Description string
	Deprecated  bool
	Security    *[]security // nil: that of the document
	Parameters  []*parameter
	Body        *body `yaml:"requestBody"`
	Responses   ordered[*response]
}

type parameter struct {
	Ref         string `yaml:"$ref"`
	Name, In    string
	Description string
	Required    bool
	Deprecated  bool
	Schema      *schema
	Example     yaml.Node
	Examples    ordered[*example]
}

type header struct {
	Ref         string `yaml:"$ref"`
	Description string
	Required    bool
	Schema      *schema
	Example     yaml.Node
}

type body struct {
	Ref         string `yaml:"$ref"`
	Description string
	Required    bool
	Content     ordered[media]
}

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Headers     ordered[*header]
	Content     ordered[media]
}

type media struct {
	Schema   *schema
	Example  yaml.Node
	Examples ordered[*example]
}

type example struct {
	Ref     string `yaml:"$ref"`
	Summary string
	Value   yaml.Node
}

type schema struct {
	Ref         string `yaml:"$ref"`
	Type        names
	Format      string
	Pattern     string
	Description string
	Deprecated  bool
	Properties  ordered[*schema]
	Required    []string
	Items       *schema
	AllOf       []*schema `yaml:"allOf"`
	OneOf       []*schema `yaml:"oneOf"`
	AnyOf       []*schema `yaml:"anyOf"`
	More        yaml.Node `yaml:"additionalProperties"`
	Enum        []yaml.Node
	Const       yaml.Node
	Default     yaml.Node
	Example     yaml.Node
	Examples    []yaml.Node

	Minimum, Maximum  string
	Above             string `yaml:"exclusiveMinimum"`
	Below             string `yaml:"exclusiveMaximum"`
	MultipleOf        string `yaml:"multipleOf"`
	MinLength         string `yaml:"minLength"`
	MaxLength         string `yaml:"maxLength"`
	MinItems          string `yaml:"minItems"`
	MaxItems          string `yaml:"maxItems"`
	UniqueItems       bool   `yaml:"uniqueItems"`
	ReadOnly          bool   `yaml:"readOnly"`
	ContentMediaType  string `yaml:"contentMediaType"`
	MinimumProperties string `yaml:"minProperties"`
	MaximumProperties string `yaml:"maxProperties"`
}

// names are one name or several: type may be "string" or ["string", "null"].
type names []string

// UnmarshalYAML reads both forms.
func (n *names) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*n = names{node.Value}
		return nil
	}
	return node.Decode((*[]string)(n))
}

// ordered is a map in the order of the document, which is the order in which people should read it.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Key   string
	Value T
}

// UnmarshalYAML reads a mapping.
func (o *ordered[T]) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a mapping is wanted", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		e := entry[T]{Key: node.Content[i].Value}
		if err := node.Content[i+1].Decode(&e.Value); err != nil {
			return err
		}
		*o = append(*o, e)
	}
	return nil
}

func (o ordered[T]) get(key string) (value T, ok bool) {
	for _, e := range o {
		if e.Key == key {
			return e.Value, true
		}
	}
	return value, false
}

// resolver follows references within the document, and keeps the first that leads nowhere.
type resolver struct {
	*document
	err error
}

// follow returns what a reference names, or value if there is no reference.
func follow[T any](r *resolver, ref, kind string, all ordered[*T], value *T) *T {
	if ref == "" {
		return value
	}
	name, local := strings.CutPrefix(ref, "#/components/"+kind+"/")
	if found, ok := all.get(name); local && ok && found != nil {
		return found
	}
	if r.err == nil {
		r.err = fmt.Errorf("the reference %q leads nowhere", ref)
	}
	return new(T)
}

func (r *resolver) parameter(p *parameter) *parameter {
	return follow(r, p.Ref, "parameters", r.Components.Parameters, p)
}

func (r *resolver) header(h *header) *header {
	return follow(r, h.Ref, "headers", r.Components.Headers, h)
}

func (r *resolver) body(b *body) *body {
	return follow(r, b.Ref, "requestBodies", r.Components.RequestBodies, b)
}

func (r *resolver) response(p *response) *response {
	return follow(r, p.Ref, "responses", r.Components.Responses, p)
}

func (r *resolver) example(e *example) *example {
	return follow(r, e.Ref, "examples", r.Components.Examples, e)
}

// schema follows one reference. name is that of the schema, or empty for one without a name.
func (r *resolver) schema(s *schema) (found *schema, name string) {
	if s == nil {
		return new(schema), ""
	}
	found = follow(r, s.Ref, "schemas", r.Components.Schemas, s)
	return found, strings.TrimPrefix(s.Ref, "#/components/schemas/")
}
