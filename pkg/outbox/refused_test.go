package outbox_test

import (
	"errors"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/testkit"
)

// The broker's error is kept with the message that it refuses. If it could not be stored, that message would be published
// again and again.
func TestARefusalWhoseTextCannotBeStoredHoldsUpNothing(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	c := collector{fate: func(m bus.Message) error {
		if m.Subject == "order-1" {
			return errors.New("no \x00 queue \xff")
		}
		return nil
	}}
	o := outbox.New("orders")
	send(t, db, o, reserve(1), reserve(2))
	if _, err := db.Exec(t.Context(), `UPDATE outbox SET due_at = now()`); err != nil {
		t.Fatal(err)
	}
	if _, err := outbox.NewRelay(db, o, &c, testkit.Log(t)).Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	var why string
	if err := db.QueryRow(t.Context(), `SELECT last_error FROM outbox`).Scan(&why); err != nil || why != "no \uFFFD queue \uFFFD" || c.count() != 1 {
		t.Errorf("it was refused because of %q, %v, and %d were published", why, err, c.count())
	}
}
