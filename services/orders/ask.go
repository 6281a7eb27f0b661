package main

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
)

// askPause is how long an order that has sent its command is not made to send it again: the answer may be on its way, and the
// request may be a repetition.
const askPause = 5 * time.Second

// ask returns the outcome of sending the order's command again before its deadline. The wait begins anew. It does not count as
// a timeout, or an operator who asks often would compensate the order. out sends nothing if the order has sent its command
// within askPause. ok is false if the order waits for nothing.
func (o order) ask(now time.Time, t timeouts) (out outcome, ok bool) {
	out = outcome{order: o}
	if o.Status.final() {
		return out, false
	}
	if o.DueAt != nil && now.Sub(o.DueAt.Add(-t.after(o.Status, o.Passed))) < askPause {
		return out, true
	}
	out.send = []messages.Message{saga[o.Status].command(o)}
	out.await(o.Passed, now, t)
	return out, true
}

// postRetry makes an order send its command again now, on behalf of an operator.
func (s *shop) postRetry(c echo.Context) error {
	if err := web.NoFields(c); err != nil {
		return err
	}
	seen, err := s.visible(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	var o order
	err = s.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) { w.orders.Name(seen.ID) },
		Make: func(w *work) error {
			before, _ := w.orders.Get(seen.ID) // found: an order is never deleted
			out, ok := before.ask(w.now(), w.timeouts)
			if !ok {
				return fault.New(fault.Conflict, "the order is %s and waits for nothing", before.Status)
			}
			o = out.order
			w.put(ctx, out)
			for _, again := range out.send {
				w.log = append(w.log, logged{seen.ID, action{w.now(), commandSent, "sent " + again.Kind() + " again", hand{Operator: identity.From(ctx).ID}}})
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, bodyOf(o))
}
