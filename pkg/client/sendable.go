package client

import (
	"net/http"

	"example.com/orderflow/pkg/fault"
	"golang.org/x/net/http/httpguts"
)

// sendable refuses a request that net/http would not write. net/http refuses it only in the attempt, which then counts as a
// failure of the replica: a caller that chooses a header's value or the Host could open the breakers for all callers. The
// rules are those of http.Transport.
func (c *Client) sendable(r *http.Request) error {
	for name, values := range r.Header {
		good := httpguts.ValidHeaderFieldName(name)
		for _, value := range values {
			good = good && httpguts.ValidHeaderFieldValue(value)
		}
		if !good {
			return fault.New(fault.Malformed, "the header %q cannot be passed on", name)
		}
	}
	if c.cfg.KeepHost {
		host, err := httpguts.PunycodeHostPort(r.Host)
		if err != nil || !httpguts.ValidHostHeader(host) {
			return fault.New(fault.Malformed, "the host cannot be passed on").Because(err)
		}
	}
	return nil
}
