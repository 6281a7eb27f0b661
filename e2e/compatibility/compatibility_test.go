package compatibility

import (
	"strings"
	"testing"
	"time"

	"example.com/orderflow/api"
	"example.com/orderflow/api/released"
)

const advice = "\nmake the change additive, or deprecate first: docs/compatibility.md"

// This is the gate.
func TestNothingBreaksAReaderOfTheLastRelease(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		compare       func(released, now []byte) ([]string, error)
		released, now []byte
	}{
		{"openapi.yaml", HTTP, released.OpenAPI, api.OpenAPI},
		{"asyncapi.yaml", Messages, released.AsyncAPI, api.AsyncAPI},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			broken, err := c.compare(c.released, c.now)
			if err != nil {
				t.Fatal(err)
			}
			if len(broken) > 0 {
				t.Errorf("%s breaks readers of the last release:\n  %s%s", c.name, strings.Join(broken, "\n  "), advice)
			}
		})
	}
}

const shop = `
openapi: 3.1.0
info: {title: a shop, version: '1'}
paths:
  /orders:
    get:
      security: [{bearer: [orders]}]
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
      responses:
        '200':
          description: a page
          headers: {ETag: {schema: {type: string}}}
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Order'}}}}
        '404': {description: none}
    post:
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Placing'}}}}
      responses:
        '202': {description: accepted, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
  /orders/live:
    get:
      responses:
        '200':
          description: a stream
          content:
            text/event-stream:
              schema: {type: string}
              x-events:
                - {event: message, data: {$ref: '#/components/schemas/Order'}}
                - {event: end, data: {type: object}}
  /basket:
    get:
      deprecated: true
      x-sunset: '2026-01-01'
      responses: {'200': {description: a basket}}
components:
  securitySchemes: {bearer: {type: http, scheme: bearer}}
  schemas:
    Order:
      type: object
      required: [id, status, carrier]
      properties:
        id: {type: string}
        status: {type: string, enum: [placed, paid], x-open: true}
        carrier: {type: string, enum: [swift, slow]}
        name: {type: string, maxLength: 100}
        title: {type: string, deprecated: true, x-sunset: '2026-01-01'}
        label: {type: string, deprecated: true, x-sunset: '2999-01-01'}
    Placing:
      type: object
      required: [lines]
      properties:
        lines: {type: array, maxItems: 100, items: {type: string}}
        speed: {type: string, enum: [fast, slow]}
        note: {type: string, maxLength: 500}
        hint: {type: string, deprecated: true, x-sunset: '2026-01-01'}
`

// Each row is a change of shop. Those with no words in broken are additive.
func TestWhatBreaksAClient(t *testing.T) {
	t.Parallel()
	for _, change := range []struct {
		what, old, new string
		broken         []string // words of the message
	}{
		{"nothing", "", "", nil},
		{"a path goes", "  /orders:\n", "  /purchases:\n", []string{"GET /orders", "removed without deprecation"}},
		{"an operation goes", "    post:\n", "    put:\n", []string{"POST /orders", "removed without deprecation"}},
		{"an operation goes after its notice", "  /basket:\n", "  /bag:\n", nil},
		{"an operation is deprecated with too short a notice", "    post:\n", sunset(noticeDays - 1), []string{"POST /orders", "sunset"}},
		{"an operation is deprecated", "    post:\n", sunset(noticeDays + 1), nil},
		{"an operation is deprecated, and nobody knows until when", "    post:\n", "    post:\n      deprecated: true\n", []string{"POST /orders", "sunset"}},
		{"another scope is needed", "security: [{bearer: [orders]}]", "security: [{bearer: [orders, operations]}]", []string{"GET /orders", "operations"}},
		{"a field of an answer goes after its notice", "        title: {type: string, deprecated: true, x-sunset: '2026-01-01'}\n", "", nil},
		{"a field of an answer goes before its sunset", "        label: {type: string, deprecated: true, x-sunset: '2999-01-01'}\n", "", []string{"`items/label`"}},
		{"a field of a request goes after its notice", "        hint: {type: string, deprecated: true, x-sunset: '2026-01-01'}\n", "", nil},
		{"a success goes", "'202'", "'201'", []string{"POST /orders", "`202`"}},
		{"an error goes", "        '404': {description: none}\n", "", []string{"GET /orders", "`404`"}},
		{"an error comes", "'404': {description: none}", "'404': {description: none}\n        '409': {description: late}", nil},
		{"a header goes", "headers: {ETag:", "headers: {Etag-Of-Page:", []string{"GET /orders", "ETag"}},
		{"a required field of an answer goes", "        id: {type: string}\n", "", []string{"`id`", "removed"}},
		{"an optional field of an answer goes", "        name: {type: string, maxLength: 100}\n", "", []string{"`items/name`", "removed"}},
		{"a field is renamed", "name: {type: string, maxLength: 100}", "full_name: {type: string, maxLength: 100}", []string{"`items/name`", "removed"}},
		{"a field of an answer comes", "        name: {", "        added: {type: string}\n        name: {", nil},
		{"a field changes its type", "id: {type: string}", "id: {type: integer}", []string{"`items/id`", "type"}},
		{"a field of an answer becomes optional", "[id, status, carrier]", "[id, status]", []string{"carrier", "optional"}},
		{"a field of an answer is always there", "[id, status, carrier]", "[id, status, carrier, name]", nil},
		{"a field of an answer may be null", "id: {type: string}", "id: {type: [string, 'null']}", []string{"`items/id`"}},
		{"an answer is longer", "maxLength: 100}", "maxLength: 200}", nil},
		{"an enumeration of an answer has one value more", "[swift, slow]", "[swift, slow, quick]", []string{"quick", "enum"}},
		{"an open one has", "[placed, paid]", "[placed, paid, lost]", nil},
		{"one is opened and has at once", "[swift, slow]", "[swift, slow, quick], x-open: true", []string{"quick", "enum"}},
		{"an enumeration of an answer has one value less", "[swift, slow]", "[swift]", nil},
		{"a field of a request is required", "required: [lines]", "required: [lines, note]", []string{"POST /orders", "note", "required"}},
		{"a new one is", "required: [lines]\n      properties:", "required: [lines, added]\n      properties:\n        added: {type: string}", []string{"POST /orders", "added", "required"}},
		{"a field of a request may be left out", "required: [lines]", "required: []", nil},
		{"a field of a request comes", "        note: {", "        added: {type: string}\n        note: {", nil},
		{"a field of a request goes", "        note: {type: string, maxLength: 500}\n", "", []string{"POST /orders", "`note`"}},
		{"an enumeration of a request has one value less", "[fast, slow]", "[fast]", []string{"POST /orders", "slow"}},
		{"an enumeration of a request has one value more", "[fast, slow]", "[fast, slow, slower]", nil},
		{"a limit of a request is tighter", "maxLength: 500", "maxLength: 400", []string{"POST /orders", "note"}},
		{"a limit of a request is wider", "maxLength: 500", "maxLength: 600", nil},
		{"a list of a request is shorter", "maxItems: 100", "maxItems: 50", []string{"POST /orders", "lines"}},
		{"a parameter goes", "name: limit", "name: size", []string{"GET /orders", "limit"}},
		{"a parameter is required", "in: query,", "in: query, required: true,", []string{"GET /orders", "limit", "required"}},
		{"a parameter is tighter", "maximum: 100", "maximum: 50", []string{"GET /orders", "limit"}},
		{"an event of a stream goes", "{event: end,", "{event: over,", []string{"GET /orders/live", "`end`"}},
		{"a path comes", "paths:\n", "paths:\n  /added:\n    get: {responses: {'200': {description: more}}}\n", nil},
	} {
		t.Run(change.what, func(t *testing.T) {
			t.Parallel()
			judge(t, HTTP, shop, change.old, change.new, change.broken)
		})
	}
}

// sunset returns the beginning of an operation that will go after some days.
func sunset(days int) string {
	return "    post:\n      deprecated: true\n      x-sunset: '" + time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) + "'\n"
}

const news = `
asyncapi: 3.0.0
channels:
  events:
    address: '{kind}'
    bindings: {amqp: {exchange: {name: shop.events}}}
    messages:
      order_placed: {$ref: '#/components/messages/order_placed'}
      order_lost: {$ref: '#/components/messages/order_lost'}
  stock.events:
    address: stock.events
    messages:
      order_placed: {$ref: '#/components/messages/order_placed'}
components:
  messageTraits:
    envelope: {headers: {type: object, required: [ce-id], properties: {ce-id: {type: string}}}}
  messages:
    order_placed:
      traits: [{$ref: '#/components/messageTraits/envelope'}]
      payload: {$ref: '#/components/schemas/Order'}
    order_lost:
      traits: [{$ref: '#/components/messageTraits/envelope'}]
      payload: {type: object}
  schemas:
    Order:
      type: object
      required: [id, status, carrier]
      properties:
        id: {type: string}
        status: {type: string, enum: [placed, paid], x-open: true}
        carrier: {type: string, enum: [swift, slow]}
        note: {type: string, maxLength: 500}
`

// Each row is a change of news. A message is written by one release and read by the other, so both directions count.
func TestWhatBreaksAService(t *testing.T) {
	t.Parallel()
	for _, change := range []struct {
		what, old, new string
		broken         []string
	}{
		{"nothing", "", "", nil},
		{"a message goes", "order_lost", "order_gone", []string{"order_lost: it is gone"}},
		{"a message goes to another queue", "  stock.events:\n    address: stock.events", "  stock.news:\n    address: stock.news", []string{"stock.events/order_placed"}},
		{"an exchange has another name", "name: shop.events", "name: shop.news", []string{"shop.events/order_placed"}},
		{"a message comes", "  messages:\n    order_placed:", "  messages:\n    order_added: {payload: {type: object}}\n    order_placed:", nil},
		{"a header goes", "[ce-id], properties: {ce-id:", "[], properties: {id:", []string{"headers/ce-id"}},
		{"a field goes", "        note: {type: string, maxLength: 500}\n", "", []string{"order_placed", "payload/note"}},
		{"a field changes its type", "id: {type: string}\n", "id: {type: integer}\n", []string{"order_placed", "payload/id", "type"}},
		{"a field comes", "        note: {", "        added: {type: string}\n        note: {", nil},
		{"a field comes that messages in the queues do not have", "carrier]\n      properties:", "carrier, added]\n      properties:\n        added: {type: string}", []string{"order_placed", "payload/added", "required"}},
		{"a field is left out at times", "[id, status, carrier]", "[id, status]", []string{"order_placed", "payload/carrier", "optional"}},
		{"an enumeration has one value more", "[swift, slow]", "[swift, slow, quick]", []string{"order_placed", "quick"}},
		{"an open one has", "[placed, paid]", "[placed, paid, lost]", nil},
		{"one value less, which is in the queues", "[swift, slow]", "[swift]", []string{"order_placed", "slow"}},
		{"a tighter limit", "maxLength: 500", "maxLength: 400", []string{"order_placed", "payload/note"}},
		{"a wider limit", "maxLength: 500", "maxLength: 600", nil},
		{"a schema gets parts", "payload: {$ref: '#/components/schemas/Order'}", "payload: {allOf: [{$ref: '#/components/schemas/Order'}]}", nil},
	} {
		t.Run(change.what, func(t *testing.T) {
			t.Parallel()
			judge(t, Messages, news, change.old, change.new, change.broken)
		})
	}
}

// The real documents have forms that those above do not: parts of schemas, references, alternatives, streams.
func TestTheRealDocumentsAreReadToTheirLeaves(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string][]struct{ old, new, broken string }{
		"openapi.yaml": {
			{"/api/operations/attention:", "/api/operations/needs:", "/api/operations/attention"},
			{"        timeline:", "        story:", "`timeline`"},
			{"        tracking_number:", "        number:", "`items/items/tracking_number`"},
			{"event: reset", "event: again", "`reset`"},
			{"        request_id:", "        log_id:", "`request_id`"},
		},
		"asyncapi.yaml": {
			{"inventory.stock_reserved", "inventory.stock_held", "orders.events/inventory.stock_reserved"},
			{"        seq: {", "        number: {", "orders.order_placed: removed the required property `payload/seq`"},
			{"        ce-id:", "        ce-key:", "`headers/ce-id`"},
			{"orderflow.events", "orderflow.news", "orderflow.events/payments.payment_taken: it is gone"},
		},
	} {
		compare, document := HTTP, api.OpenAPI
		if name == "asyncapi.yaml" {
			compare, document = Messages, api.AsyncAPI
		}
		for _, change := range changes {
			t.Run(change.old, func(t *testing.T) {
				t.Parallel()
				judge(t, compare, string(document), change.old, change.new, []string{change.broken})
			})
		}
	}
}

func judge(t *testing.T, compare func(released, now []byte) ([]string, error), document, old, changed string, words []string) {
	t.Helper()
	if !strings.Contains(document, old) {
		t.Fatalf("there is no %q in the document", old)
	}
	got, err := compare([]byte(document), []byte(strings.ReplaceAll(document, old, changed)))
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(got, "\n")
	if words == nil && said != "" {
		t.Errorf("it is additive, and called breaking:\n%s", said)
	}
	if words != nil && said == "" {
		t.Error("nobody has noticed")
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("the message has no %q:\n%s", word, said)
		}
	}
}
