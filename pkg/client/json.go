package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/wire"
)

// Problem is the upstream's refusal of a request: an answer with a status from 400 to 499, except 429. Sending the same
// request again would not help. Its texts are the upstream's; they are empty unless it speaks RFC 9457.
type Problem struct {
	Upstream string        `json:"-"`
	Status   int           `json:"-"`
	Type     string        `json:"type"`
	Title    string        `json:"title"`
	Detail   string        `json:"detail"`
	Errors   []fault.Field `json:"errors"`
	Body     []byte        `json:"-"` // as it came
}

func (p *Problem) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("%s answers %d: %s", p.Upstream, p.Status, p.Detail), ": ")
}

// JSON sends in as JSON, unless it is nil, and decodes the body of a 2xx answer into out, unless it is nil. The path may
// have a query. It returns:
//
//   - 2xx: the status, no error
//   - another 4xx: the status, and a *Problem for errors.AsType
//   - 429 and 5xx, after all attempts: the status and a fault.Error of kind Unavailable or BadGateway
//   - none: 0 and a fault.Error of kind Unavailable or Timeout, or context.Canceled
//
// When it matters whether something was done, call Ambiguous with an error that is no Problem.
func (c *Client) JSON(ctx context.Context, method, path string, header http.Header, in, out any) (int, error) {
	r, err := newJSONRequest(ctx, method, path, header, in)
	if err != nil {
		return 0, fmt.Errorf("call %s: %w", c.cfg.Name, err)
	}
	call, err := c.newCall(r)
	if err != nil {
		return 0, err
	}
	call.whole = true
	answer, err := call.do()
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(answer.Body) // from memory
	if err != nil {
		return 0, err
	}
	status := answer.StatusCode
	f := &failure{status: status, ambiguous: call.ambiguous || !undone(status)}
	switch {
	case status >= 200 && status < 300:
		if out == nil || len(body) == 0 {
			return status, nil
		}
		if err := wire.Read(body, out); err != nil {
			f.err = err
			return status, fault.New(fault.BadGateway, "%s answers what cannot be read", c.cfg.Name).Because(f)
		}
		return status, nil
	case undone(status):
		return status, fault.New(fault.Unavailable, "%s cannot answer now", c.cfg.Name).After(retryAfter(answer.Header)).Because(f)
	case status >= 400 && status < 500:
		return status, c.problem(answer, body)
	}
	return status, fault.New(fault.BadGateway, "%s answers %d", c.cfg.Name, status).Because(f)
}

func newJSONRequest(ctx context.Context, method, path string, header http.Header, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header.Clone()
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json, application/problem+json")
	return r, nil
}

func (c *Client) problem(answer *http.Response, body []byte) *Problem {
	p := &Problem{}
	if media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err == nil && media == "application/problem+json" {
		if err := wire.Read(body, p); err != nil {
			*p = Problem{}
		}
	}
	p.Upstream, p.Status, p.Body = c.cfg.Name, answer.StatusCode, body
	return p
}
