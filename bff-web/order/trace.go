package order

import (
	"errors"
	"net/url"
	"strings"
)

// TracesURL is where a trace can be seen: a URL that contains {trace_id}. Empty: nowhere.
type TracesURL string

const traceID = "{trace_id}"

// UnmarshalText refuses what would be no link to a trace.
func (t *TracesURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(strings.ReplaceAll(string(text), traceID, "id"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !strings.Contains(string(text), traceID) {
		return errors.New("not a URL with {trace_id}, such as http://localhost:16686/trace/{trace_id}")
	}
	*t = TracesURL(text)
	return nil
}

// of returns the address of a trace, or "".
func (t TracesURL) of(id string) string {
	if id == "" {
		return ""
	}
	return strings.ReplaceAll(string(t), traceID, url.PathEscape(id))
}
