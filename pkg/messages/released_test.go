package messages_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"example.com/orderflow/api/asyncapi"
	"example.com/orderflow/api/released"
	. "example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/wire"
)

// During an upgrade, messages of the last release wait in queues and outboxes, and its replicas send more. They must be read as
// they were meant.
func TestTheMessagesOfTheLastReleaseAreRead(t *testing.T) {
	t.Parallel()
	last, err := asyncapi.Parse(released.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range last.Kinds() {
		i := slices.IndexFunc(all, func(m Message) bool { return m.Kind() == kind })
		if i < 0 {
			t.Errorf("%s: there is no type for it any more", kind)
			continue
		}
		bodies, err := last.Examples(kind)
		if err != nil || len(bodies) == 0 {
			t.Errorf("%s: no examples, %v", kind, err)
		}
		for _, body := range bodies {
			v := reflect.New(reflect.TypeOf(all[i]))
			if err := wire.Read(body, v.Interface()); err != nil {
				t.Errorf("%s: %s cannot be read: %v", kind, body, err)
				continue
			}
			if m, ok := reflect.TypeAssert[Validator](v); ok && m.Validate() != nil {
				t.Errorf("%s: %s is refused: %v", kind, body, m.Validate())
			}
			again, err := json.Marshal(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			var was, is any
			if err := json.Unmarshal(body, &was); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(again, &is); err != nil {
				t.Fatal(err)
			}
			if field := lost(kind, was, is); field != "" {
				t.Errorf("%s is lost: %s is read as %s", field, body, again)
			}
		}
	}
}

// lost returns the path of a value that is not in what was read of it; empty: all is there.
func lost(path string, was, is any) string {
	switch was := was.(type) {
	case map[string]any:
		members, _ := is.(map[string]any)
		for name, value := range was {
			if field := lost(path+"/"+name, value, members[name]); field != "" {
				return field
			}
		}
		return ""
	case []any:
		items, _ := is.([]any)
		if len(items) != len(was) {
			return path
		}
		for i := range was {
			if field := lost(path, was[i], items[i]); field != "" {
				return field
			}
		}
		return ""
	}
	if was != is {
		return path
	}
	return ""
}
