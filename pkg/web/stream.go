package web

import (
	"context"
	"errors"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"github.com/labstack/echo/v4"
)

// StreamType is the media type of server-sent events.
const StreamType = "text/event-stream"

// ErrStopping is the cause of the end of a stream's context when the program stops (see context.Cause). The handler should
// say good-bye and return: the client comes back, to another replica.
var ErrStopping = errors.New("the program is stopping")

// deadline ends the context of a request that takes too long, unless it asks for a stream.
func deadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		c.Set(lifeKey, r.Context())
		if WantsStream(r) {
			return Stream(next)(c)
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// Stream is middleware for a handler whose answer is always a stream. Its context has no deadline, but ends when the
// program stops: otherwise the stream would hold up the shutdown and then be cut off. A client that accepts no stream gets
// 406.
func Stream(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if !TakesStream(r) {
			return fault.New(fault.NotAcceptable, "there is only a %s here", StreamType)
		}
		if IsStream(c) {
			return next(c)
		}
		c.Set(streamKey, true)
		life, _ := c.Get(lifeKey).(context.Context)
		if life == nil {
			life = r.Context()
		}
		ctx, cancel := context.WithCancelCause(life)
		defer cancel(nil)
		if stopping, ok := ctx.Value(stoppingKey{}).(context.Context); ok {
			defer context.AfterFunc(stopping, func() { cancel(ErrStopping) })()
		}
		c.SetRequest(r.WithContext(identity.With(ctx, identity.From(r.Context()))))
		return next(c)
	}
}

// IsStream reports whether the answer may last, as the handler's context has no deadline.
func IsStream(c echo.Context) bool { return c.Get(streamKey) != nil }

const (
	lifeKey   = "life"   // the context of a request without its deadline
	streamKey = "stream" // set when the request's context has no deadline
)

// stoppingKey is the key of the context that ends when the server has drained and is about to shut down.
type stoppingKey struct{}
