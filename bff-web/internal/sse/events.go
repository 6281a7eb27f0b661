// Package sse writes server-sent events, and counts the streams of them.
package sse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// Heartbeat is how often an open stream sends something.
const Heartbeat = 10 * time.Second // readers that miss two of them connect again; proxies, too, end silent connections

const (
	writeWithin = 10 * time.Second // a reader that takes nothing for this long is disconnected
	comeBack    = 1 * time.Second  // how long a browser waits before it connects again
)

// Events is an open answer of server-sent events.
type Events struct {
	out     http.ResponseWriter
	control *http.ResponseController
}

// To writes to a response that can be flushed and has deadlines.
func To(w http.ResponseWriter) *Events { return &Events{w, http.NewResponseController(w)} }

// Open begins the answer. It returns nil if the client only wants the header, which it then has.
func Open(c echo.Context) (*Events, error) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, web.StreamType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return nil, c.NoContent(http.StatusOK)
	}
	e := To(c.Response())
	// The time limits of the server are for requests that end. The read limit would end the context of this request.
	if err := errors.Join(e.control.SetReadDeadline(time.Time{}), e.control.SetWriteDeadline(time.Time{})); err != nil {
		return nil, fmt.Errorf("lift the time limits: %w", err)
	}
	return e, nil
}

// Begin tells the reader when to come back, and when the next heartbeat comes.
func (e *Events) Begin() error {
	if err := e.Write("retry: %d\n\n", comeBack.Milliseconds()); err != nil {
		return err
	}
	return e.Beat()
}

// Beat writes a heartbeat. It is an event and not a comment, which scripts do not see: so a script notices when the connection
// is dead. Its data is the number of seconds until the next one.
func (e *Events) Beat() error {
	return e.Write("event: beat\ndata: %d\n\n", int(Heartbeat.Seconds()))
}

// Part sends the reader to another process: all readers of this one will connect elsewhere, but not all at once.
func (e *Events) Part() error {
	return e.Write("retry: %d\n\n", comeBack.Milliseconds()/2+rand.Int64N(comeBack.Milliseconds()))
}

// Write writes events. An error means that the reader has gone or is too slow.
func (e *Events) Write(format string, args ...any) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.out, format, args...); err != nil {
		return err
	}
	return e.control.Flush()
}
