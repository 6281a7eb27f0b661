package contract

import (
	"fmt"
	"maps"
	"path"

	"github.com/getkin/kin-openapi/openapi3"
)

// A place is where the document has a field: the name of a component and the way from there, such as Order.links.self. The document
// does not say that objects are closed, since readers of a later release must be able to read them. Here they are: visit reports each
// field of a value that the document does not have.
type place struct {
	name string
	ref  *openapi3.SchemaRef
}

// placeOf returns the place of a schema, which has the given name unless it is a component. Something or null is something.
func placeOf(ref *openapi3.SchemaRef, name string) place {
	if ref.Ref != "" {
		name = path.Base(ref.Ref)
	}
	if either := ref.Value.OneOf; len(either) == 2 && either[1].Value.Type.Is("null") {
		return placeOf(either[0], name)
	}
	return place{name, ref}
}

// fields returns the places of an object's fields by their names, those of its parts, too.
func (p place) fields() map[string]place {
	all := map[string]place{}
	for _, part := range p.ref.Value.AllOf {
		maps.Copy(all, placeOf(part, p.name).fields())
	}
	for name, ref := range p.ref.Value.Properties {
		all[name] = placeOf(ref, p.name+"."+name)
	}
	return all
}

// items returns the place of the items of a list.
func (p place) items() (place, bool) {
	if p.ref.Value.Items == nil {
		return place{}, false
	}
	return placeOf(p.ref.Value.Items, p.name+"[]"), true
}

// names returns the place of the values of a map, whose names are data.
func (p place) names() (place, bool) {
	ref := p.ref.Value.AdditionalProperties.Schema
	if ref == nil {
		return place{}, false
	}
	return placeOf(ref, p.name+".*"), true
}

// visit calls see for each field of a value that the document has, with the name of its object and its own, and returns the fields
// that it does not have. An object without any fields in the document may have any.
func (p place) visit(value any, see func(name string)) (unknown []string) {
	switch value := value.(type) {
	case []any:
		if items, ok := p.items(); ok {
			for _, one := range value {
				unknown = append(unknown, items.visit(one, see)...)
			}
		}
	case map[string]any:
		fields := p.fields()
		values, isMap := p.names()
		for name, one := range value {
			field, known := fields[name]
			switch {
			case known:
				see(p.name + "." + name)
				unknown = append(unknown, field.visit(one, see)...)
			case isMap:
				unknown = append(unknown, values.visit(one, see)...)
			case len(fields) > 0:
				unknown = append(unknown, fmt.Sprintf("the field %q of %s", name, p.name))
			}
		}
	case string:
		for _, one := range p.ref.Value.Enum {
			if one == any(value) {
				see(p.name + " = " + value)
			}
		}
	}
	return unknown
}

// all calls see for everything that visit can call it with.
func (p place) all(done map[*openapi3.Schema]bool, see func(name string)) {
	if done[p.ref.Value] {
		return
	}
	done[p.ref.Value] = true
	unseen := extension[map[string]string](p.ref.Value.Extensions, extraUnseen)
	for _, one := range p.ref.Value.Enum {
		if value := fmt.Sprint(one); unseen[value] == "" {
			see(p.name + " = " + value)
		}
	}
	for name, field := range p.fields() {
		see(p.name + "." + name)
		field.all(done, see)
	}
	if items, ok := p.items(); ok {
		items.all(done, see)
	}
	if values, ok := p.names(); ok {
		values.all(done, see)
	}
}
