package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// errGivenUp is the end of an attempt that its caller no longer waits for.
var errGivenUp = errors.New("given up by the caller")

// Ambiguous reports whether the upstream may have carried out the request although the call ended with err: an attempt was
// sent, and no answer came, or none that says that nothing was done. After such an error of a POST, find out what was done
// before sending it again.
func Ambiguous(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.ambiguous
}

// failure is why an attempt failed. It is also the cause of the fault that the caller gets when the call fails.
type failure struct {
	err       error
	status    int  // when there is an answer
	ambiguous bool // the upstream may have carried it out
	retry     bool // another attempt is allowed
	atOnce    bool // another attempt needs no wait
	after     time.Duration
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("the answer is %d %s", f.status, http.StatusText(f.status))
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// isAnswer reports whether an attempt failed with an answer, which the caller can be given.
func isAnswer(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.status != 0
}

// fault returns the error that the caller gets when a call has ended with err, of the last attempt or of the policies
// around it.
func (c *call) fault(err error) error {
	name := c.client.cfg.Name
	cause := &failure{err: err, ambiguous: c.ambiguous}
	switch {
	case errors.Is(c.request.Context().Err(), context.Canceled):
		return fmt.Errorf("call %s: %w", name, &failure{err: context.Canceled, ambiguous: c.ambiguous})
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Timeout, "%s did not answer in time", name).Because(cause)
	case isOpen(err):
		return fault.New(fault.Unavailable, "%s does not answer and is left alone for a while", name).After(c.client.replicas.readyIn()).Because(cause)
	case errors.Is(err, bulkhead.ErrFull):
		return fault.New(fault.Unavailable, "%s has too much to do", name).Because(cause)
	}
	return fault.New(fault.Unavailable, "%s cannot be reached", name).Because(cause)
}

func isOpen(err error) bool {
	return errors.Is(err, circuitbreaker.ErrOpen) || errors.Is(err, errAllOpen)
}

// refused reports whether an answer is a refusal that may soon be over.
func (c Config) refused(status int) bool {
	return status == http.StatusTooManyRequests || c.broken(status)
}

// broken reports whether an answer means that something is wrong with the upstream.
func (c Config) broken(status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented && !(c.Composes && status == http.StatusServiceUnavailable)
}

// undone reports whether such an answer says that nothing was done. Other answers may come from a proxy, or after it was
// done.
func undone(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// retryAfter reads the header of an answer: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
