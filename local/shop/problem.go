package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is the error for an answer with an error status (RFC 9457). Programs look at its type and its status, people at its
// detail. If the answer is no problem document, the detail is the whole body.
type Problem struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	RequestID string  `json:"request_id"` // in the logs of the shop
	Errors    []Field `json:"errors"`

	RetryAfter time.Duration `json:"-"` // 0: the shop has not said when to try again
}

// Field is what is wrong with a field of the request, such as lines[0].quantity.
type Field struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (p *Problem) Error() string {
	text := []string{fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail)}
	for _, f := range p.Errors {
		text = append(text, f.Field+" "+f.Message)
	}
	return strings.Join(text, "; ")
}

// Err returns a *Problem if the answer has an error status.
func (a Answer) Err() error {
	if a.Status < http.StatusBadRequest {
		return nil
	}
	p := &Problem{Title: http.StatusText(a.Status), Detail: string(a.Body)}
	_ = json.Unmarshal(a.Body, p) // other bodies are quoted unchanged
	p.Status = a.Status
	if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// Passes reports whether the same request may succeed later.
func (p *Problem) Passes() bool {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// Again decides what follows when a call has failed so many times: whether it is made again, and after which pause.
type Again func(tries int, err error) (wait time.Duration, again bool)

// Patiently makes a call again if it may succeed later: after what the shop says, otherwise after 0.1 s, doubled each time up to
// 10 s, with jitter. After ten tries, which take half a minute, the caller should know.
func Patiently(tries int, err error) (wait time.Duration, again bool) {
	const first, longest, most = 100 * time.Millisecond, 10 * time.Second, 10
	wait = min(first<<min(tries-1, most), longest)
	if p, refused := errors.AsType[*Problem](err); refused {
		if !p.Passes() {
			return 0, false
		}
		wait = max(wait, p.RetryAfter)
	}
	return wait + rand.N(wait/2), tries < most
}

// Once makes no call again.
func Once(int, error) (time.Duration, bool) { return 0, false }

func (c *Client) again(tries int, err error) (time.Duration, bool) {
	if c.Again == nil {
		return Patiently(tries, err)
	}
	return c.Again(tries, err)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
