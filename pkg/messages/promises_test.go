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
	. "example.com/orderflow/pkg/messages"
)

// A consumer states in its needs.yaml what it needs of the messages of others. Its own test proves that it needs just that.
// This one fails when a producer no longer promises it.
func TestEachConsumerIsPromisedWhatItNeeds(t *testing.T) {
	t.Parallel()
	d := document(t)
	var consumers, receiving []string
	for _, pattern := range []string{"../../*/needs.yaml", "../../services/*/needs.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			consumer := filepath.Base(filepath.Dir(file))
			consumers = append(consumers, consumer)
			needs, err := asyncapi.ReadNeeds(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Promises(needs); err != nil {
				t.Errorf("%s needs more than is promised:\n%v", consumer, err)
			}
		}
	}
	for _, application := range d.Applications() {
		if len(d.Received(application)) > 0 {
			receiving = append(receiving, application)
		}
	}
	slices.Sort(consumers)
	slices.Sort(receiving)
	if !slices.Equal(consumers, receiving) {
		t.Errorf("needs.yaml is there for %v, and asyncapi.yaml has receive operations for %v", consumers, receiving)
	}
}

func TestANeedThatIsNotPromisedIsNoticed(t *testing.T) {
	t.Parallel()
	d := document(t)
	for _, c := range []struct{ kind, need, problem string }{
		{"payments.payment_taken", "amount.amount", ""},
		{"payments.payment_refunded", "settled.operator?", ""},
		{"payments.payment_refunded", "settled.operator", "may be without"},
		{"payments.payment_taken", "amount.tax", "has no field"},
		{"payments.payment_taken", "amount.tax?", "has no field"},
		{"payments.payment_gone", "order_id", "there is no message"},
		{"shipping.shipment_in_transit", "settled.operator?", "no example"},
	} {
		err := d.Promises(asyncapi.Needs{c.kind: {c.need}})
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s of %s: %v, want %q", c.need, c.kind, err, c.problem)
		}
	}
}

// Messages of the last release may wait in a queue or an outbox while this one starts.
func TestTheMessagesOfTheLastReleaseAreUnderstood(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../api/released/messages/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d messages, %v", len(files), err)
	}
	for _, file := range files {
		kind := strings.TrimSuffix(filepath.Base(file), ".json")
		i := slices.IndexFunc(all, func(m Message) bool { return m.Kind() == kind })
		if i < 0 {
			t.Errorf("there is no %s any more", kind)
			continue
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := decoded(t, all[i], body)
		if v, ok := m.(Validator); ok && v.Validate() != nil || m.Subject() == "" {
			t.Errorf("%s: %+v is not accepted", kind, m)
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var sent, understood any
		if err := errors.Join(json.Unmarshal(body, &sent), json.Unmarshal(text, &understood)); err != nil {
			t.Fatal(err)
		}
		if !within(sent, understood) {
			t.Errorf("%s loses something of\n%s\nand has only\n%s", kind, body, text)
		}
	}
}

// within reports whether a value has everything that a part of it has.
func within(part, whole any) bool {
	switch part := part.(type) {
	case map[string]any:
		object, _ := whole.(map[string]any) // one that is no object has no fields
		for name, sub := range part {
			if !within(sub, object[name]) {
				return false
			}
		}
		return true
	case []any:
		list, _ := whole.([]any)
		return slices.EqualFunc(part, list, within)
	default:
		return part == whole
	}
}
