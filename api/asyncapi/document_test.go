package asyncapi

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/orderflow/api"
)

func read(t *testing.T) (*Document, *Schemas) {
	t.Helper()
	d, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

// The schema is that of the AsyncAPI initiative, from its npm package @asyncapi/specs 6.11.1 (Apache 2.0).
func TestTheDocumentIsAsyncAPI(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/asyncapi-3.0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	official, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("http://asyncapi.com/definitions/3.0.0/asyncapi.json", official); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("http://asyncapi.com/definitions/3.0.0/asyncapi.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) error {
		d, err := Parse([]byte(text))
		if err != nil {
			return err
		}
		body, err := json.Marshal(d.raw)
		if err != nil {
			return err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
	good := string(api.AsyncAPI)
	if err := validate(good); err != nil {
		t.Errorf("%+v", err)
	}
	for _, wrong := range [][2]string{
		{"action: send", "action: publish"},
		{"is: routingKey", "is: exchange"},
		{"bindingVersion: 0.3.0", "bindingVersion: 0.9.0"},
		{"type: direct, durable", "type: straight, durable"},
		{"#/components/schemas/OrderChange", "#/components/schemas/NoChange"},
	} {
		if changed := strings.Replace(good, wrong[0], wrong[1], 1); changed == good || validate(changed) == nil {
			t.Errorf("%s is accepted", wrong[1])
		}
	}
}

func TestEveryExampleIsWhatItsSchemaSays(t *testing.T) {
	t.Parallel()
	d, schemas := read(t)
	for _, kind := range d.Kinds() {
		examples, err := d.Examples(kind)
		if err != nil || len(examples) == 0 {
			t.Errorf("%s has %d examples, %v", kind, len(examples), err)
		}
		for _, body := range examples {
			if err := schemas.Body(kind, body); err != nil {
				t.Error(err)
			}
			unknown := append([]byte(`{"from_the_future":1,`), body[1:]...)
			if schemas.Body(kind, unknown) == nil {
				t.Errorf("%s may have a field that is not in the document", kind)
			}
		}
	}
	deep := strings.Replace(`{"order_id":"0199c0de-0000-7000-8000-000000000001","lines":[{"sku":"A","quantity":1}],"allow_backorder":true}`, `"sku"`, `"colour":"blue","sku"`, 1)
	if schemas.Body("inventory.reserve_stock", []byte(deep)) == nil {
		t.Error("a line may have a field that is not in the document")
	}
}

func TestHeadersAreThoseOfTheEnvelope(t *testing.T) {
	t.Parallel()
	_, schemas := read(t)
	good := map[string]any{
		"ce-specversion": "1.0", "ce-id": "0199c0de-0000-7000-8000-000000000001", "ce-type": "payments.take_payment", "ce-source": "/orderflow/orders",
		"ce-subject": "0199c0de-0000-7000-8000-000000000002", "ce-time": "2026-01-02T03:04:05.6Z", "sent-at": "2026-01-02T03:04:06Z",
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
	}
	if err := schemas.Headers(good, false); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]any{"ce-source": "orders", "sent-at": "yesterday", "colour": "blue", "attempt": 2} {
		before, had := good[name]
		if good[name] = value; schemas.Headers(good, false) == nil {
			t.Errorf("%s may be %v", name, value)
		}
		if delete(good, name); had {
			if schemas.Headers(good, false) == nil {
				t.Errorf("%s may be missing", name)
			}
			good[name] = before
		}
	}
	if schemas.Headers(good, true) == nil {
		t.Error("a message that has failed needs no number of its attempt")
	}
	if good["attempt"] = 2; schemas.Headers(good, true) != nil {
		t.Error(schemas.Headers(good, true))
	}
}

// What is written down twice for readers is the same.
func TestTheDocumentAgreesWithItself(t *testing.T) {
	t.Parallel()
	d, _ := read(t)
	exchanges := slices.Concat(d.Channels.Get("commands").Messages.Keys(), d.Channels.Get("events").Messages.Keys())
	kinds := d.Kinds()
	slices.Sort(exchanges)
	if sorted := slices.Sorted(slices.Values(kinds)); !slices.Equal(exchanges, sorted) {
		t.Errorf("the exchanges have %v, and the messages are %v", exchanges, sorted)
	}
	for _, m := range d.Components.Messages {
		if is := m.Value; is.Name != m.Key || is.Summary == "" || strings.Contains(m.Key, ".") && is.Bindings.AMQP.MessageType != m.Key {
			t.Errorf("%s is named %s, its type is %s, and its summary %q", m.Key, is.Name, is.Bindings.AMQP.MessageType, is.Summary)
		}
	}
	for _, c := range d.Channels {
		for _, m := range c.Value.Messages {
			if m.Value.Name() != m.Key {
				t.Errorf("%s: %s is %s", c.Key, m.Key, m.Value.Ref)
			}
		}
		b := c.Value.Bindings.AMQP
		if b.Is == "queue" && b.Queue.Name != "" && b.Queue.Name != c.Value.Address || b.Is == "" || len(c.Value.Tags) != 1 {
			t.Errorf("%s is %+v at %s", c.Key, b, c.Value.Address)
		}
	}
	sent := map[string]string{}
	for _, o := range d.Operations {
		application, _, _ := strings.Cut(o.Key, ".")
		if o.Value.Application() != application || o.Value.Bindings.Ref == "" {
			t.Errorf("%s is of %s, and has the bindings %q", o.Key, o.Value.Application(), o.Value.Bindings.Ref)
		}
		for _, m := range o.Value.Messages {
			if owner, _, _ := strings.Cut(m.Name(), "."); !strings.HasPrefix(m.Ref, o.Value.Channel.Ref+"/messages/") || d.Type(m.Name()) != "command" && owner != application {
				t.Errorf("%s: %s", o.Key, m.Ref)
			}
			if sent[m.Name()] != "" {
				t.Errorf("%s is sent by %s and %s", m.Name(), sent[m.Name()], o.Key)
			}
			sent[m.Name()] = o.Key
		}
	}
	for _, kind := range kinds {
		deprecated, _ := d.Components.Messages.Get(kind).Payload.(map[string]any)["deprecated"].(bool)
		if sent[kind] != "" && deprecated {
			t.Errorf("%s is deprecated, and %s sends it", kind, sent[kind])
		}
	}
}
