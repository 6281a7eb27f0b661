package web

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// StreamType is the media type of server-sent events.
const StreamType = "text/event-stream"

// ErrStopping is why the context of a stream ends when the program stops (see context.Cause). Its handler should say
// good-bye and return: the client comes back, to another replica.
var ErrStopping = errors.New("the program is stopping")

// WantsStream reports whether a request asks for server-sent events, which may last.
func WantsStream(r *http.Request) bool {
	for accepted := range strings.SplitSeq(r.Header.Get(echo.HeaderAccept), ",") {
		if media, _, err := mime.ParseMediaType(accepted); err == nil && media == StreamType {
			return true
		}
	}
	return false
}

// deadline ends the context of a request that takes too long. A stream has none, but ends when the program stops: it would
// hold up the shutdown and be cut off.
func deadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !WantsStream(r) {
			ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
			defer cancel()
			c.SetRequest(r.WithContext(ctx))
			return next(c)
		}
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		if stopping, ok := ctx.Value(stoppingKey{}).(context.Context); ok {
			defer context.AfterFunc(stopping, func() { cancel(ErrStopping) })()
		}
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// stoppingKey is for the context that ends when the server has drained and is about to shut down.
type stoppingKey struct{}
