package outbox_test

import (
	"context"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/testkit"
)

// counter is a publisher that notes how large batches are.
type counter struct{ most, all int }

func (c *counter) Publish(_ context.Context, batch []bus.Message) []error {
	c.most, c.all = max(c.most, len(batch)), c.all+len(batch)
	return make([]error, len(batch))
}

// After the broker was away there are more messages than a batch may have, and the planner still takes the table to be empty, as it
// usually is. It then reads the rows of a subquery once for each row of the table, and the limit holds for each reading.
func TestASweepTakesNoMoreThanABatchWhateverThePlannerBelieves(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	o := outbox.New("orders")
	var waiting []messages.Message
	for i := range bus.MaxBatch + 50 {
		waiting = append(waiting, reserve(i))
	}
	send(t, db, o, waiting...)
	for _, statement := range []string{`DELETE FROM outbox`, `ANALYZE outbox`} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	send(t, db, o, waiting...)
	if _, err := db.Exec(t.Context(), `UPDATE outbox SET due_at = now()`); err != nil {
		t.Fatal(err)
	}
	var c counter
	relay := outbox.NewRelay(db, o, &c, testkit.Log(t))
	for range 2 {
		if _, err := relay.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if c.most > bus.MaxBatch || c.all != len(waiting) {
		t.Errorf("%d messages, up to %d in a batch", c.all, c.most)
	}
}
