package messages_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/api/asyncapi"
	"example.com/orderflow/api/released"
	. "example.com/orderflow/pkg/messages"
)

// During an upgrade, messages of the last release wait in queues and outboxes, and its replicas send more. They must be read as
// they were meant: the examples of its document, and the files that it compared its messages with.
func TestTheMessagesOfTheLastReleaseAreRead(t *testing.T) {
	t.Parallel()
	last, err := asyncapi.Parse(released.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range last.Kinds() {
		bodies, err := last.Examples(kind)
		if err != nil || len(bodies) == 0 {
			t.Errorf("%s: no examples, %v", kind, err)
		}
		for _, body := range bodies {
			readsAll(t, kind, body)
		}
	}
	files, err := filepath.Glob("../../api/released/messages/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		readsAll(t, strings.TrimSuffix(filepath.Base(file), ".json"), body)
	}
}

// readsAll reads a message of the last release with the type of today, which must accept it and lose nothing of it.
func readsAll(t *testing.T, kind string, body []byte) {
	t.Helper()
	i := slices.IndexFunc(all, func(m Message) bool { return m.Kind() == kind })
	if i < 0 {
		t.Errorf("%s: there is no type for it any more", kind)
		return
	}
	m := decoded(t, all[i], body)
	if v, ok := m.(Validator); ok && v.Validate() != nil || m.Subject() == "" {
		t.Errorf("%s: %s is not accepted", kind, body)
	}
	again, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var was, is any
	if err := errors.Join(json.Unmarshal(body, &was), json.Unmarshal(again, &is)); err != nil {
		t.Fatal(err)
	}
	if field := lost(kind, was, is); field != "" {
		t.Errorf("%s is lost: %s is read as %s", field, body, again)
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
