package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

const (
	heartbeat    = 15 * time.Second // proxies give up on silence
	writeWithin  = 10 * time.Second // a reader that takes nothing for so long is let go
	comeBack     = 1 * time.Second  // what a browser waits before it connects again
	askWhileDeaf = 2 * time.Second  // between looks at orders without RabbitMQ
	askAnyway    = time.Minute      // and with it, for whatever may go wrong
)

// streams are the open streams of this process.
type streams struct {
	open   atomic.Int64
	most   int64
	ending context.Context
	end    context.CancelFunc
}

func newStreams(most int) *streams {
	ending, end := context.WithCancel(context.Background())
	s := &streams{most: int64(most), ending: ending, end: end}
	_, _ = otel.Meter("orderflow/bff-web").Int64ObservableGauge("live_streams", // a constant name cannot be wrong
		metric.WithDescription("Open streams of live tracking."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(s.open.Load())
			return nil
		}))
	return s
}

// getLive is the stream of the API: the caller shows a token.
func (s *site) getLive(c echo.Context) error {
	header := headers(c)
	_, token, _ := strings.Cut(header.Get(echo.HeaderAuthorization), " ")
	return s.follow(c, header, expiry(token))
}

// getPageLive is the stream of a page: the visitor has a session.
func (s *site) getPageLive(c echo.Context) error {
	who := visitor(c)
	if who == nil {
		return fault.New(fault.Unauthorized, "the session is over")
	}
	return s.follow(c, asVisitor(c), who.Expires)
}

// stream is one reader who follows one order.
type stream struct {
	site    *site
	header  http.Header // asks in the reader's name
	path    string      // of the order's tracking
	last    int         // the seq of the entry that was sent last
	over    bool        // a final status was sent
	out     http.ResponseWriter
	control *http.ResponseController
}

// follow sends the timeline of an order as server-sent events: at first what the reader has not seen, as Last-Event-ID
// tells, then each entry as it comes. It ends with the order, with the token, and with this process.
func (s *site) follow(c echo.Context, header http.Header, expires time.Time) error {
	if s.streams.open.Add(1) > s.streams.most || s.streams.ending.Err() != nil {
		s.streams.open.Add(-1)
		return fault.New(fault.Unavailable, "too many follow their orders here").After(5 * time.Second)
	}
	defer s.streams.open.Add(-1)
	id := strings.ToLower(c.Param("id"))
	st := &stream{
		site: s, header: header, path: "/api/orders/" + url.PathEscape(id) + "/tracking", out: c.Response(),
		control: http.NewResponseController(c.Response()), last: lastSeen(c.Request()),
	}
	w := s.feed.watch(id) // before orders is asked: what happens in between is heard twice and not missed
	defer s.feed.leave(w)
	ctx, cancel := context.WithDeadline(c.Request().Context(), expires)
	defer cancel()
	now, err := st.ask(ctx)
	if err != nil {
		return asFault(err)
	}
	if n := len(now.Timeline); final(now.Status) && n > 0 && st.last >= now.Timeline[n-1].Seq {
		return c.NoContent(http.StatusNoContent) // tells a browser not to come back
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
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
		err = st.tell(now)
	}
	if err == nil {
		err = st.run(ctx, w)
	}
	if err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "a stream was cut off", "error", err)
	}
	return nil // the answer has begun: there is nobody to tell an error
}

func (st *stream) run(ctx context.Context, w *watcher) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	look := time.NewTimer(st.pause())
	defer look.Stop()
	for !st.over {
		var err error
		select {
		case <-ctx.Done(): // the reader has gone, or his token is over
			return nil
		case <-st.site.streams.ending.Done():
			// All readers of this process will look for another one: not all at once.
			return st.write("retry: %d\n\n", comeBack.Milliseconds()/2+rand.Int64N(comeBack.Milliseconds()))
		case <-beat.C:
			err = st.write(": still here\n\n")
		case e, ok := <-w.news:
			switch {
			case !ok:
				return errors.New("too slow")
			case e.Seq == st.last+1:
				err = st.send(e)
			case e.Seq > st.last: // something is missing before it
				err = st.look(ctx)
			}
		case <-w.doubts:
			look.Reset(rand.N(askWhileDeaf)) // not all streams at once
		case <-look.C:
			err = st.look(ctx)
			look.Reset(st.pause())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pause is how long to wait before orders is asked again although nothing was heard.
func (st *stream) pause() time.Duration {
	if st.site.feed.live() {
		return askAnyway/2 + rand.N(askAnyway)
	}
	return askWhileDeaf/2 + rand.N(askWhileDeaf)
}

func (st *stream) ask(ctx context.Context) (now tracking, err error) {
	_, err = st.site.orders.JSON(ctx, http.MethodGet, st.path, st.header, nil, &now)
	return now, err
}

// look sends what orders has and the reader has not. While orders is away the stream waits.
func (st *stream) look(ctx context.Context) error {
	now, err := st.ask(ctx)
	if _, refused := errors.AsType[*client.Problem](err); refused {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // it is asked again before long
	}
	return st.tell(now)
}

func (st *stream) tell(now tracking) error {
	for _, e := range now.Timeline {
		if e.Seq > st.last {
			if err := st.send(e); err != nil {
				return err
			}
		}
	}
	if !st.over && final(now.Status) { // the reader had seen all of it
		st.over = true
		return st.write("event: end\ndata: {}\n\n")
	}
	return nil
}

// send writes an entry, and after the last one the end: a browser that were only cut off would come back.
func (st *stream) send(e entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	st.last, st.over = e.Seq, final(e.Status)
	end := ""
	if st.over {
		end = "event: end\ndata: {}\n\n"
	}
	return st.write("id: %d\ndata: %s\n\n%s", e.Seq, text, end)
}

func (st *stream) write(format string, args ...any) error {
	if err := st.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(st.out, format, args...); err != nil {
		return err
	}
	return st.control.Flush()
}

// lastSeen is the seq that a reader who comes back has seen last. No timeline has as many entries as fill 32 bits.
func lastSeen(r *http.Request) int {
	n, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

// asFault passes a neighbour's refusal on to a caller of the API.
func asFault(err error) error {
	switch status := statusOf(err); status {
	case http.StatusNotFound:
		return fault.New(fault.NotFound, "there is no such order").Because(err)
	case http.StatusUnauthorized:
		return fault.New(fault.Unauthorized, "the token is good no longer").Because(err)
	}
	return err
}
