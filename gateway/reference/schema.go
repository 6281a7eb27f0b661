package reference

import (
	"html/template"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// piece is a part of the name of a type. Href is empty if it leads nowhere.
type piece struct{ Text, Href string }

// field is a row about a member of a body, a parameter or a header.
type field struct {
	Name        string // lines[].quantity for a member of the items of a list
	In          string // path, query or header for a parameter; empty for others
	Type        []piece
	Required    bool
	Deprecated  bool
	Limits      string
	Description template.HTML

	Example string // for the form to try it
	Choices []string
	Many    bool // a list: its values are separated by commas in the form
}

// fields lists the members of a schema, and those of the objects inside it that have no name of their own.
func (b *builder) fields(s *schema, prefix string) []field {
	var all []field
	for _, part := range s.AllOf {
		found, _ := b.schema(part)
		all = append(all, b.fields(found, prefix)...)
	}
	for _, p := range s.Properties {
		f := b.field(prefix+p.Key, p.Value)
		f.Required = slices.Contains(s.Required, p.Key)
		all = append(all, f)
		all = append(all, b.inside(p.Value, prefix+p.Key)...)
	}
	if more := b.more(s); more != nil {
		all = append(all, b.field(prefix+"*", more))
		all = append(all, b.inside(more, prefix+"*")...)
	}
	return all
}

// inside lists the members of an object or of a list's items, unless they have a name and so a place of their own.
func (b *builder) inside(s *schema, name string) []field {
	for s != nil && s.Ref == "" && s.Items != nil {
		s, name = s.Items, name+"[]"
	}
	if s == nil || s.Ref != "" {
		return nil
	}
	return b.fields(s, name+".")
}

// more is the schema of members with any name, or nil.
func (b *builder) more(s *schema) *schema {
	if s.More.Kind != yaml.MappingNode || len(s.More.Content) == 0 {
		return nil
	}
	var more schema
	b.note(s.More.Decode(&more))
	return &more
}

func (b *builder) field(name string, s *schema) field {
	found, _ := b.schema(s)
	f := field{Name: name, Type: b.typeOf(s), Deprecated: s.Deprecated || found.Deprecated, Example: b.sample(s)}
	text := s.Description
	if s.Ref == "" || text == "" {
		text = found.Description
	}
	if s.Ref == "" || !hasMembers(found) { // else the limits are at its own place
		f.Limits = b.limits(found)
	}
	f.Many = found.Items != nil
	for _, value := range found.Enum {
		f.Choices = append(f.Choices, b.plain(&value))
	}
	f.Description = b.markdown(text)
	return f
}

func hasMembers(s *schema) bool { return len(s.Properties) > 0 || len(s.AllOf) > 0 }

// typeOf names the type of a schema, with links to schemas that have a place of their own.
func (b *builder) typeOf(s *schema) []piece {
	found, name := b.schema(s)
	switch {
	case name != "":
		return []piece{{name, "#schema-" + name}}
	case found.Items != nil:
		return append([]piece{{"list of ", ""}}, b.typeOf(found.Items)...)
	case len(found.OneOf) > 0:
		return b.either(found.OneOf)
	case len(found.AnyOf) > 0:
		return b.either(found.AnyOf)
	case len(found.AllOf) > 0:
		return []piece{{"object", ""}}
	}
	text := strings.Join(found.Type, " or ")
	if text == "" {
		text = "any"
	}
	if found.Format != "" {
		text += " (" + found.Format + ")"
	}
	return []piece{{text, ""}}
}

func (b *builder) either(all []*schema) (pieces []piece) {
	for i, s := range all {
		if i > 0 {
			pieces = append(pieces, piece{" or ", ""})
		}
		pieces = append(pieces, b.typeOf(s)...)
	}
	return pieces
}

// limits says in words which values a schema allows.
func (b *builder) limits(s *schema) string {
	var all []string
	add := func(value, before, after string) {
		if value != "" {
			all = append(all, before+value+after)
		}
	}
	between := func(least, most, unit string) {
		switch {
		case least != "" && least == most:
			all = append(all, "exactly "+least+unit)
		case least != "" && most != "":
			all = append(all, least+" to "+most+unit)
		default:
			add(least, "at least ", unit)
			add(most, "at most ", unit)
		}
	}
	between(s.Minimum, s.Maximum, "")
	add(s.Above, "more than ", "")
	add(s.Below, "less than ", "")
	add(s.MultipleOf, "a multiple of ", "")
	between(s.MinLength, s.MaxLength, " characters")
	between(s.MinItems, s.MaxItems, " items")
	between(s.MinimumProperties, s.MaximumProperties, " members")
	if s.UniqueItems {
		all = append(all, "each item once")
	}
	if s.Items != nil && s.Items.Ref == "" {
		if each := b.limits(s.Items); each != "" {
			all = append(all, "each: "+each)
		}
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, value := range s.Enum {
			values = append(values, b.plain(&value))
		}
		all = append(all, "one of "+strings.Join(values, ", "))
	}
	if !s.Const.IsZero() {
		all = append(all, "always "+b.plain(&s.Const))
	}
	add(s.Pattern, "pattern ", "")
	if !s.Default.IsZero() {
		all = append(all, "default "+b.plain(&s.Default))
	}
	if s.More.Kind == yaml.ScalarNode && s.More.Value == "false" {
		all = append(all, "no other members")
	}
	return strings.Join(all, "; ")
}

// sample is a value of a schema that a person may send, or empty if the document has none.
func (b *builder) sample(s *schema) string {
	found, _ := b.schema(s)
	for _, of := range []*schema{s, found} {
		switch {
		case !of.Example.IsZero():
			return b.plain(&of.Example)
		case len(of.Examples) > 0:
			return b.plain(&of.Examples[0])
		}
	}
	return ""
}
