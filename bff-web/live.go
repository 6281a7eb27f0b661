package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const (
	heartbeat    = 10 * time.Second // a reader who misses two of them connects again; proxies give up on silence, too
	writeWithin  = 10 * time.Second // a reader that takes nothing for so long is let go
	comeBack     = 1 * time.Second  // what a browser waits before it connects again
	askWhileDeaf = 2 * time.Second  // between looks at orders without RabbitMQ
	askAnyway    = time.Minute      // and with it, for whatever may go wrong
	followMost   = 50               // orders in one stream
)

// getLive is the stream of the API: the caller shows a token, and follows one order.
func (s *site) getLive(c echo.Context) error {
	header := headers(c)
	_, token, _ := strings.Cut(header.Get(echo.HeaderAuthorization), " ")
	st := &stream{header: header, places: []*place{{order: strings.ToLower(c.Param("id")), last: lastSeen(c.Request().Header.Get("Last-Event-ID"))}}}
	return s.follow(c, identity.From(c.Request().Context()).ID, expiry(token), st)
}

// getPageLive is the same for a visitor who has a session.
func (s *site) getPageLive(c echo.Context) error {
	who := visitor(c)
	if who == nil {
		return errNoSession
	}
	st := &stream{header: asVisitor(c), places: []*place{{order: strings.ToLower(c.Param("id")), last: lastSeen(c.Request().Header.Get("Last-Event-ID"))}}}
	return s.follow(c, who.Caller.ID, who.Expires, st)
}

// getPagesLive is the one stream of all pages that a visitor has open: browsers have six connections for us, and a page
// that waits for one shows nothing. It follows each ?order=<id>.<seq of the entry that was seen last>.
func (s *site) getPagesLive(c echo.Context) error {
	who := visitor(c)
	if who == nil {
		return errNoSession
	}
	st := &stream{header: asVisitor(c), several: true}
	for _, wish := range c.QueryParams()["order"] {
		id, seen, _ := strings.Cut(strings.ToLower(wish), ".")
		if id != "" && !slices.ContainsFunc(st.places, func(p *place) bool { return p.order == id }) {
			st.places = append(st.places, &place{order: id, last: lastSeen(seen)})
		}
	}
	if n := len(st.places); n == 0 || n > followMost {
		return fault.New(fault.Malformed, "a stream follows 1 to %d orders", followMost)
	}
	return s.follow(c, who.Caller.ID, who.Expires, st)
}

var errNoSession = fault.New(fault.Unauthorized, "the session is over")

// follow sends the timeline of orders as server-sent events: at first what the reader has not seen, then each entry as it
// comes. It ends with the orders, with the token, and with this process.
func (s *site) follow(c echo.Context, who string, expires time.Time, st *stream) error {
	leave, err := s.streams.enter(who)
	if err != nil {
		return err
	}
	defer leave()
	w := s.feed.watch(st.orders()...) // before orders is asked: what happens in between is heard twice and not missed
	defer s.feed.leave(w)
	s.feed.attend(c.Request().Context())
	ctx, cancel := context.WithDeadline(c.Request().Context(), expires)
	defer cancel()
	st.site, st.out, st.control = s, c.Response(), http.NewResponseController(c.Response())
	found := st.ask(ctx, st.places...)
	if err := st.refused(found); err != nil {
		return asFault(err)
	}
	if !slices.ContainsFunc(found, answer.unseen) {
		return c.NoContent(http.StatusNoContent) // tells a browser not to come back
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, web.StreamType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead { // that it is a stream is all that was asked for
		return c.NoContent(http.StatusOK)
	}
	// The server's time limits are for requests that end. One for reading would end the context of this one.
	if err := errors.Join(st.control.SetReadDeadline(time.Time{}), st.control.SetWriteDeadline(time.Time{})); err != nil {
		return fmt.Errorf("lift the time limits: %w", err)
	}
	err = st.write("retry: %d\n\n", comeBack.Milliseconds())
	if err == nil {
		err = st.beat()
	}
	if err == nil {
		err = st.tell(found)
	}
	if err == nil {
		err = st.run(ctx, w)
	}
	if err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "a stream was cut off", "error", err)
	}
	return nil // the answer has begun: there is nobody to tell an error
}

// asFault passes an upstream's refusal on to a caller of the API.
func asFault(err error) error {
	switch status := statusOf(err); status {
	case http.StatusNotFound:
		return fault.New(fault.NotFound, "there is no such order").Because(err)
	case http.StatusUnauthorized:
		return fault.New(fault.Unauthorized, "the token is good no longer").Because(err)
	}
	return err
}
