package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const (
	heartbeat   = 10 * time.Second // readers that miss two of them connect again; proxies, too, end silent connections
	writeWithin = 10 * time.Second // a reader that takes nothing for this long is disconnected
	comeBack    = 1 * time.Second  // how long a browser waits before it connects again
)

// events is an open answer of server-sent events.
type events struct {
	out     http.ResponseWriter
	control *http.ResponseController
}

// openEvents begins the answer. It returns nil if the client only wants the header, which it then has.
func openEvents(c echo.Context) (*events, error) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, web.StreamType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return nil, c.NoContent(http.StatusOK)
	}
	e := &events{c.Response(), http.NewResponseController(c.Response())}
	// The time limits of the server are for requests that end. The read limit would end the context of this request.
	if err := errors.Join(e.control.SetReadDeadline(time.Time{}), e.control.SetWriteDeadline(time.Time{})); err != nil {
		return nil, fmt.Errorf("lift the time limits: %w", err)
	}
	return e, nil
}

// begin tells the reader when to come back, and when the next heartbeat comes.
func (e *events) begin() error {
	if err := e.write("retry: %d\n\n", comeBack.Milliseconds()); err != nil {
		return err
	}
	return e.beat()
}

// beat writes a heartbeat. It is an event and not a comment, which scripts do not see: so a script notices when the connection
// is dead. Its data is the number of seconds until the next one.
func (e *events) beat() error {
	return e.write("event: beat\ndata: %d\n\n", int(heartbeat.Seconds()))
}

// part sends the reader to another process: all readers of this one will connect elsewhere, but not all at once.
func (e *events) part() error {
	return e.write("retry: %d\n\n", comeBack.Milliseconds()/2+rand.Int64N(comeBack.Milliseconds()))
}

func (e *events) write(format string, args ...any) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.out, format, args...); err != nil {
		return err
	}
	return e.control.Flush()
}
