package live

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/sse"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"github.com/labstack/echo/v4"
)

const (
	askWhileDeaf = 2 * time.Second // between two requests to orders, without RabbitMQ
	askAnyway    = time.Minute     // the same with RabbitMQ, to be safe
	followMost   = 50              // orders in one stream
)

// getLive serves the stream of the API: the caller sends a token, and follows one order.
func (s *Pages) getLive(c echo.Context) error {
	header := upstream.Headers(c)
	_, token, _ := strings.Cut(header.Get(echo.HeaderAuthorization), " ")
	st := &stream{header: header, places: []*place{{order: strings.ToLower(c.Param("id")), last: lastSeen(c.Request().Header.Get("Last-Event-ID"))}}}
	return s.follow(c, identity.From(c.Request().Context()).ID, visitor.Expiry(token), st)
}

// getPageLive is the same for a visitor with a session.
func (s *Pages) getPageLive(c echo.Context) error {
	who := visitor.Of(c)
	if who == nil {
		return visitor.ErrNoSession
	}
	st := &stream{header: upstream.AsVisitor(c), places: []*place{{order: strings.ToLower(c.Param("id")), last: lastSeen(c.Request().Header.Get("Last-Event-ID"))}}}
	return s.follow(c, who.Caller.ID, who.Expires, st)
}

// getPagesLive serves one stream for all pages that a visitor has open. With a stream for each page, a browser would soon use
// up its six connections, and further pages would wait for one. The stream follows each ?order=<id>.<seq of the last entry that
// was seen>.
func (s *Pages) getPagesLive(c echo.Context) error {
	who := visitor.Of(c)
	if who == nil {
		return visitor.ErrNoSession
	}
	st := &stream{header: upstream.AsVisitor(c), several: true}
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

// follow sends the timelines of orders as server-sent events: first the entries that the reader has not seen, then new ones as
// they come. It ends when the orders are final, the token expires or this process stops.
func (s *Pages) follow(c echo.Context, who string, expires time.Time, st *stream) error {
	leave, err := s.streams.Enter(who)
	if err != nil {
		return err
	}
	defer leave()
	w := s.feed.watch(st.orders()...) // before orders is asked: an event in between comes twice rather than never
	defer s.feed.leave(w)
	s.feed.Attend(c.Request().Context())
	ctx, cancel := context.WithDeadline(c.Request().Context(), expires)
	defer cancel()
	st.site = s
	found := st.ask(ctx, st.places...)
	if err := st.refused(found); err != nil {
		return asFault(err)
	}
	if !slices.ContainsFunc(found, answer.unseen) {
		return c.NoContent(http.StatusNoContent) // tells a browser not to connect again
	}
	if st.Events, err = sse.Open(c); st.Events == nil {
		return err
	}
	err = st.Begin()
	if err == nil {
		err = st.tell(found)
	}
	if err == nil {
		err = st.run(ctx, w)
	}
	if err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "a stream was cut off", "error", err)
	}
	return nil // the answer has begun, so no error can be sent
}

// asFault converts an upstream's refusal for a caller of the API.
func asFault(err error) error {
	switch status := upstream.StatusOf(err); status {
	case http.StatusNotFound:
		return fault.New(fault.NotFound, "there is no such order").Because(err)
	case http.StatusUnauthorized:
		return fault.New(fault.Unauthorized, "the token is good no longer").Because(err)
	}
	return err
}
