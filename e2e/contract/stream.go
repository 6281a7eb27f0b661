package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// streamed is an entry of x-events: an event of a stream. OpenAPI 3.1 has no words for the parts of an answer that does not end.
type streamed struct {
	Event string `json:"event"` // message: the event without a name
	Data  struct {
		Ref string `json:"$ref"`
	} `json:"data"`
}

func eventsOf(m *openapi3.MediaType) []streamed {
	return extension[[]streamed](m.Extensions, extraEvents)
}

// eventual is the body of a stream. It passes everything on, and looks at each event that has come completely. The end of a stream
// that breaks off within an event is not an event.
type eventual struct {
	io.ReadCloser
	left  []byte
	event func(fields map[string]string)
}

func (e *eventual) Read(b []byte) (int, error) {
	n, err := e.ReadCloser.Read(b)
	e.left = append(e.left, b[:n]...)
	for {
		text, rest, whole := bytes.Cut(e.left, []byte("\n\n"))
		if !whole {
			return n, err
		}
		e.left = rest
		fields := map[string]string{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			fields[name] = strings.TrimPrefix(value, " ")
		}
		e.event(fields)
	}
}

// event returns what is wrong with an event of a stream.
func (d *Document) event(says described, fields map[string]string, see func(name string)) error {
	for name := range fields {
		switch name {
		case "event", "data", "id", "retry":
		default:
			return fmt.Errorf("an event has the field %q", name)
		}
	}
	if retry, given := fields["retry"]; given {
		if _, err := strconv.Atoi(retry); err != nil || len(fields) > 1 {
			return fmt.Errorf("the event %v does not set the time to wait", fields)
		}
		return nil
	}
	name := fields["event"]
	if name == "" {
		name = "message"
	}
	for _, known := range eventsOf(says.Content[streamType]) {
		if known.Event != name {
			continue
		}
		see("the event " + name)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(fields["data"]))
		if err != nil {
			return fmt.Errorf("the event %s: %w", name, err)
		}
		if err := d.instance(d.component(known.Data.Ref), value, see); err != nil {
			return fmt.Errorf("the event %s: %w", name, err)
		}
		if entry, ok := value.(map[string]any); ok && name == "message" && entry["seq"] != json.Number(fields["id"]) {
			return fmt.Errorf("the event %s has the id %q", fields["data"], fields["id"])
		}
		return nil
	}
	return fmt.Errorf("the document has no event %q", name)
}
