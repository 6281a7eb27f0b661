package main

import (
	"context"
	"time"

	"example.com/orderflow/pkg/fault"
)

// stockedWithin is how long a system that starts for the first time may take until the catalogue is here. One without any
// products is no reason to wait for longer.
const stockedWithin = 20 * time.Second

var errNotStocked = fault.New(fault.Unavailable, "the catalogue has not arrived yet").After(time.Second)

// ready reports whether orders can be taken: our database answers, and there is something to order. Without the second
// part, whoever orders at once after the very first start would be told to come back.
func (s *shop) ready(ctx context.Context) error {
	if s.stocked.Load() || s.now().Sub(s.started) > stockedWithin {
		return s.db.Ping(ctx)
	}
	_, stocked, err := productsBySKU(ctx, s.db, nil)
	if err != nil {
		return err
	}
	if !stocked {
		return errNotStocked
	}
	s.stocked.Store(true)
	return nil
}
