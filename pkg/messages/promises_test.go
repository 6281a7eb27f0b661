package messages_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/api/asyncapi"
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
