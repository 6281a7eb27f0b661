package contract

import "github.com/getkin/kin-openapi/openapi3"

// everything calls see for all that can be seen of the document. An answer that stands for several statuses need not be seen of each
// operation: each of its statuses, fields and types once is enough.
func (d *Document) everything(see func(name string)) {
	done, asked := map[*openapi3.Schema]bool{}, map[*openapi3.Schema]bool{}
	for _, item := range d.api.Paths.Map() {
		for _, o := range item.Operations() {
			for _, p := range parametersOf(item, o) {
				if p.In != openapi3.ParameterInPath {
					see(nameOf(o, p))
				}
			}
			if o.RequestBody != nil {
				for _, content := range o.RequestBody.Value.Content {
					placeOf(content.Schema, "").all(asked, func(name string) { see("in a request, " + name) })
				}
			}
			for status, ref := range o.Responses.Map() {
				if status != "default" {
					see(o.OperationID + " " + status)
				}
				d.everythingOf(describe(ref, o, status), done, see)
			}
		}
	}
	for _, name := range d.always {
		see("any answer: the header " + name)
	}
}

func (d *Document) everythingOf(says described, done map[*openapi3.Schema]bool, see func(name string)) {
	unseen := extension[map[string]string](says.Extensions, extraUnseen)
	for status := range statusesOf(says.Response) {
		if unseen[status] == "" {
			see("an answer " + status)
		}
	}
	for name := range says.Headers {
		see(says.name + ": the header " + name)
	}
	for media, content := range says.Content {
		see(says.name + " as " + media)
		if content.Schema.Ref != "" {
			placeOf(content.Schema, "").all(done, see)
		}
		for _, one := range eventsOf(content) {
			see("the event " + one.Event)
			d.component(one.Data.Ref).all(done, see)
		}
	}
}

// component returns the place of a schema by its reference.
func (d *Document) component(ref string) place {
	found := d.api.Components.Schemas[ref[len("#/components/schemas/"):]]
	return placeOf(openapi3.NewSchemaRef(ref, found.Value), "")
}
