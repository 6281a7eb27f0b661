package shop

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// silent is how long a stream may send nothing. It has a heartbeat every 10 s, so two are missing.
const silent = 25 * time.Second

var errSilent = fmt.Errorf("the stream has sent nothing for %s", silent)

// Event is a server-sent event of an order's stream; docs/architecture.md lists the names.
type Event struct {
	Name  string // empty: Data is an entry of the timeline
	ID    string
	Data  string
	Retry time.Duration // the pause that the shop asks for before the next connection; 0: this event says nothing about it
}

// Events yields the events of an order's stream until the connection ends. after is the ID of the last event that the caller has
// seen. If the caller has seen everything already, there is only the event `end`. An error is yielded last.
func (c *Client) Events(ctx context.Context, id, after string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		dead := time.AfterFunc(silent, func() { cancel(errSilent) })
		defer dead.Stop()
		headers := []string{"Accept", "text/event-stream"}
		if after != "" {
			headers = append(headers, "Last-Event-ID", after)
		}
		response, err := c.open(ctx, http.MethodGet, pathOf(id)+"/tracking", "", headers)
		if err != nil {
			yield(Event{}, cmp.Or(context.Cause(ctx), err))
			return
		}
		defer response.Body.Close() //nolint:errcheck // only read
		switch response.StatusCode {
		case http.StatusOK:
		case http.StatusNoContent:
			yield(Event{Name: "end"}, nil)
			return
		default:
			text, _ := io.ReadAll(response.Body) // the beginning of it is enough
			yield(Event{}, Answer{response.StatusCode, response.Header, text}.Err())
			return
		}
		lines := bufio.NewScanner(response.Body)
		for e := (Event{}); lines.Scan(); {
			dead.Reset(silent)
			if lines.Text() != "" {
				e.field(lines.Text())
				continue
			}
			if e != (Event{}) && !yield(e, nil) {
				return
			}
			e = Event{}
		}
		if err := lines.Err(); err != nil {
			yield(Event{}, cmp.Or(context.Cause(ctx), err))
		}
	}
}

// field reads a line of an event. The shop's events have one line of data.
func (e *Event) field(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "event":
		e.Name = value
	case "id":
		e.ID = value
	case "data":
		e.Data = value
	case "retry":
		if ms, err := strconv.Atoi(value); err == nil {
			e.Retry = time.Duration(ms) * time.Millisecond
		}
	}
}
