package compatibility

import (
	"fmt"
	"slices"
	"strings"
)

// Messages returns what in an AsyncAPI document breaks the services of the released one, sorted; nothing: all changes are
// additive. Both releases send to each other during an upgrade: a service of the last one must read what is sent now, and one
// of now must read what waits in a queue since then. It returns an error if a document cannot be read.
func Messages(released, now []byte) ([]string, error) {
	before, err := read(released)
	if err != nil {
		return nil, fmt.Errorf("the released document: %w", err)
	}
	after, err := read(now)
	if err != nil {
		return nil, err
	}
	found, err := compare(madeUp(before), madeUp(after))
	words := strings.NewReplacer("POST /", "", "api path removed without deprecation", "it is gone", " from the response with the `200` status", "",
		" for the response status `200`", "", " for the status `200`", "", " for status `200`", "", "response's", "message", "response", "message", "request", "message")
	for i, text := range found {
		found[i] = words.Replace(text)
	}
	slices.Sort(found)
	return slices.Compact(found), err
}

// madeUp returns an OpenAPI document with an operation for each kind of message. It takes the message and answers it, because
// each message is written by one release and read by another. There is also an operation for each kind in each exchange and
// queue.
func madeUp(document tree) tree {
	paths := tree{}
	for kind, message := range at(document, "components", "messages") {
		schema := tree{"schema": tree{
			"type": "object", "required": []any{"headers", "payload"},
			"properties": tree{"headers": headersOf(document, message), "payload": member(message, "payload")},
		}}
		body := tree{"required": true, "content": tree{"application/json": schema}}
		paths["/"+kind] = tree{"post": tree{
			"requestBody": body, "responses": tree{"200": tree{"description": kind, "content": tree{"application/json": schema}}},
		}}
	}
	for name, channel := range at(document, "channels") {
		for kind := range at(channel, "messages") {
			paths["/"+addressOf(name, channel)+"/"+kind] = tree{"post": tree{"responses": tree{"200": tree{"description": kind}}}}
		}
	}
	return tree{
		"openapi": "3.1.0", "info": tree{"title": "messages", "version": "1"}, "paths": paths,
		"components": tree{"schemas": at(document, "components", "schemas")},
	}
}

// headersOf returns the schema of a message's headers, which may be in a trait.
func headersOf(document tree, message any) any {
	if own := member(message, "headers"); own != nil {
		return own
	}
	traits, _ := member(message, "traits").([]any)
	for _, trait := range traits {
		name := fmt.Sprint(member(trait, "$ref"))
		if headers := member(at(document, "components", "messageTraits", name[strings.LastIndex(name, "/")+1:]), "headers"); headers != nil {
			return headers
		}
	}
	return tree{"type": "object"}
}

// addressOf returns the name of an exchange or a queue. Parameters of an address are no parameters of a path.
func addressOf(name string, channel any) string {
	if exchange, ok := at(channel, "bindings", "amqp", "exchange")["name"].(string); ok {
		return exchange
	}
	address, ok := member(channel, "address").(string)
	if !ok {
		address = name
	}
	return strings.NewReplacer("{", "<", "}", ">").Replace(address)
}

// at returns the part of a document at a path; empty if there is none.
func at(part any, path ...string) tree {
	for _, name := range path {
		part = member(part, name)
	}
	found, _ := part.(tree)
	return found
}

func member(of any, name string) any {
	members, _ := of.(tree)
	return members[name]
}
