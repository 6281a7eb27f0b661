// Package asyncapi reads asyncapi.yaml. With it, tests compare the document with what the programs send, receive and
// declare, and consumers prove which fields they need. No program contains it.
package asyncapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"example.com/orderflow/api"
)

// Document is asyncapi.yaml.
type Document struct {
	raw        map[string]any // for references into it
	Channels   Ordered[Channel]
	Operations Ordered[Operation]
	Components struct {
		Messages Ordered[Message]
		Tags     Ordered[Tag]
		Schemas  Ordered[Schema]
	}
}

// Schema is what the order of a schema's fields is read from.
type Schema struct {
	Properties Ordered[any]
	AllOf      []Schema `yaml:"allOf"`
}

// Channel is an exchange or a queue.
type Channel struct {
	Address    string
	Parameters map[string]struct{ Enum []string } // in the address
	Messages   Ordered[Reference]
	Tags       []Reference
	Bindings   struct {
		Ref  string `yaml:"$ref"`
		AMQP struct {
			Is              string
			Exchange, Queue Declared
		}
	}
}

// Declared is an exchange or a queue as RabbitMQ knows it.
type Declared struct {
	Name, Type string
	Durable    bool
	Exclusive  bool
	AutoDelete bool `yaml:"autoDelete"`
}

// Name returns the name of the exchange or the queue. A part in braces stands for any text.
func (c Channel) Name() string {
	switch b := c.Bindings.AMQP; {
	case b.Is == "queue":
		return c.Address
	case b.Exchange.Name == "":
		return "{service}.redelivery"
	default:
		return b.Exchange.Name
	}
}

// Operation is what an application does with a channel.
type Operation struct {
	Action   string // send or receive
	Channel  Reference
	Messages []Reference // empty: all of the channel
	Tags     []Reference // the application
	Bindings Reference
}

// Message is one kind of message.
type Message struct {
	Name, Title, Summary string
	Payload              any
	Bindings             struct {
		AMQP struct {
			MessageType string `yaml:"messageType"`
		}
	}
	Examples []struct {
		Name    string
		Payload yaml.Node
	}
}

// Tag is a word for a channel or an application.
type Tag struct{ Name, Description string }

// Reference points to another part of the document.
type Reference struct {
	Ref string `yaml:"$ref"`
}

// Name returns the last part of the reference.
func (r Reference) Name() string { return r.Ref[strings.LastIndex(r.Ref, "/")+1:] }

// Ordered is a mapping in the order of the document.
type Ordered[V any] []Entry[V]

// Entry is a member of a mapping.
type Entry[V any] struct {
	Key   string
	Value V
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *Ordered[V]) UnmarshalYAML(node *yaml.Node) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		e := Entry[V]{Key: node.Content[i].Value}
		if err := node.Content[i+1].Decode(&e.Value); err != nil {
			return fmt.Errorf("%s: %w", e.Key, err)
		}
		*o = append(*o, e)
	}
	return nil
}

// Get returns the member with a key, or the zero value.
func (o Ordered[V]) Get(key string) (v V) {
	if i := slices.IndexFunc(o, func(e Entry[V]) bool { return e.Key == key }); i >= 0 {
		return o[i].Value
	}
	return v
}

// Keys returns the keys in the order of the document.
func (o Ordered[V]) Keys() []string {
	keys := make([]string, len(o))
	for i, e := range o {
		keys[i] = e.Key
	}
	return keys
}

// Read reads the document. It returns an error if the document is no YAML or a reference leads nowhere.
func Read() (*Document, error) { return Parse(api.AsyncAPI) }

// Parse is Read for another document, such as that of the last release.
func Parse(text []byte) (*Document, error) {
	d := &Document{}
	if err := yaml.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	if err := yaml.Unmarshal(text, &d.raw); err != nil {
		return nil, fmt.Errorf("asyncapi.yaml: %w", err)
	}
	if err := d.resolveAll(d.raw); err != nil {
		return nil, err
	}
	for i := range d.Channels {
		if b := &d.Channels[i].Value.Bindings; b.Ref != "" {
			target, _ := d.at(b.Ref) // resolveAll has found it
			text, err := yaml.Marshal(target)
			if err == nil {
				err = yaml.Unmarshal(text, b)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.Ref, err)
			}
		}
	}
	return d, nil
}

// resolveAll checks that each reference in a part of the document leads somewhere.
func (d *Document) resolveAll(part any) error {
	switch part := part.(type) {
	case map[string]any:
		if ref, ok := part["$ref"].(string); ok {
			_, err := d.at(ref)
			return err
		}
		for _, sub := range part {
			if err := d.resolveAll(sub); err != nil {
				return err
			}
		}
	case []any:
		for _, sub := range part {
			if err := d.resolveAll(sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// at returns the part of the document to which a reference points.
func (d *Document) at(ref string) (any, error) {
	var part any = d.raw
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		within, ok := part.(map[string]any)
		if !ok || within[step] == nil {
			return nil, fmt.Errorf("asyncapi.yaml: %s leads nowhere", ref)
		}
		part = within[step]
	}
	return part, nil
}

// Kinds returns the kinds of all messages, in the order of the document.
func (d *Document) Kinds() []string {
	return slices.DeleteFunc(d.Components.Messages.Keys(), func(name string) bool { return !strings.Contains(name, ".") })
}

// Type returns what a message of a kind is: command, event or notification.
func (d *Document) Type(kind string) string {
	switch {
	case slices.Contains(d.Channels.Get("commands").Messages.Keys(), kind):
		return "command"
	case slices.Contains(d.sent("", "#/components/operationBindings/notification"), kind):
		return "notification"
	default:
		return "event"
	}
}

// Sent returns the kinds that an application sends, in the order of the document.
func (d *Document) Sent(application string) []string { return d.sent(application, "") }

// sent returns the kinds that an application sends by operations with these bindings; empty: any.
func (d *Document) sent(application, bindings string) (kinds []string) {
	for _, o := range d.Operations {
		if o.Value.Action == "send" && (application == "" || o.Value.Application() == application) && (bindings == "" || o.Value.Bindings.Ref == bindings) {
			for _, m := range o.Value.Messages {
				kinds = append(kinds, m.Name())
			}
		}
	}
	return kinds
}

// Application returns the application that the operation belongs to.
func (o Operation) Application() string { return o.Tags[0].Name() }

// Received returns the kinds that an application receives, sorted, by the address of the queue.
func (d *Document) Received(application string) map[string][]string {
	queues := map[string][]string{}
	for _, o := range d.Operations {
		if o.Value.Action == "receive" && o.Value.Application() == application {
			queue := d.Channels.Get(o.Value.Channel.Name())
			queues[queue.Address] = slices.Sorted(slices.Values(queue.Messages.Keys()))
		}
	}
	return queues
}

// Applications returns the applications that have operations, in the order of the document.
func (d *Document) Applications() (names []string) {
	for _, o := range d.Operations {
		if name := o.Value.Application(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Examples returns the bodies of the examples of a kind. Their fields are in the order of the document.
func (d *Document) Examples(kind string) (bodies [][]byte, err error) {
	for _, e := range d.Components.Messages.Get(kind).Examples {
		body, err := marshal(&e.Payload)
		if err != nil {
			return nil, fmt.Errorf("example of %s: %w", kind, err)
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

// marshal writes a YAML node as JSON and keeps the order of its fields.
func marshal(node *yaml.Node) ([]byte, error) {
	switch node.Kind {
	case yaml.MappingNode:
		fields := make([]string, 0, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, err := json.Marshal(node.Content[i].Value)
			if err != nil {
				return nil, err
			}
			value, err := marshal(node.Content[i+1])
			if err != nil {
				return nil, err
			}
			fields = append(fields, string(name)+":"+string(value))
		}
		return []byte("{" + strings.Join(fields, ",") + "}"), nil
	case yaml.SequenceNode:
		items := make([]string, len(node.Content))
		for i, item := range node.Content {
			text, err := marshal(item)
			if err != nil {
				return nil, err
			}
			items[i] = string(text)
		}
		return []byte("[" + strings.Join(items, ",") + "]"), nil
	default:
		var value any
		if err := node.Decode(&value); err != nil {
			return nil, err
		}
		return json.Marshal(value)
	}
}
