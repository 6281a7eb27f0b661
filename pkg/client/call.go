package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/telemetry"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"go.opentelemetry.io/otel/attribute"
)

// bodyMost is the most bytes that are held in memory: of a request, so that it can be sent again, and of an answer that is
// read whole.
const bodyMost = 1 << 20

// call is a request and what is known about its attempts. failsafe-go runs them one after the other in the caller's
// goroutine, so it needs no lock.
type call struct {
	client  *Client
	request *http.Request
	header  http.Header // the request's, and its trace
	body    []byte
	whole   bool // the caller wants all of the answer's body, within the time limits

	repeatable bool // may be sent again after an answer such as 503
	blindly    bool // may be sent again although the last attempt may have been carried out

	tried     []*replica
	sends     int            // attempts before this one that were not refused here; counted for spans only
	ambiguous bool           // one of the attempts may have been carried out
	open      *http.Response // whose body the caller will close, unless a timeout comes first
}

type onceKey struct{}

// Once returns r marked as a request to an upstream that does not honour its Idempotency-Key: a POST will not be sent
// twice.
func Once(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), onceKey{}, true))
}

func (c *Client) newCall(r *http.Request) (*call, error) {
	if err := c.sendable(r); err != nil {
		return nil, err
	}
	out := &call{client: c, request: r, header: maps.Clone(r.Header)}
	if out.header == nil {
		out.header = http.Header{}
	}
	telemetry.Propagate(r.Context(), out.header)
	if r.Body != nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, bodyMost+1))
		_ = r.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		if len(body) > bodyMost {
			return nil, fault.New(fault.TooLarge, "the body is too large")
		}
		out.body = body
	}
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		out.repeatable, out.blindly = true, true
	default:
		out.repeatable = r.Header.Get("Idempotency-Key") != "" && r.Context().Value(onceKey{}) == nil
		out.blindly = out.repeatable && c.cfg.RetryAmbiguous
	}
	return out, nil
}

func (c *call) do() (*http.Response, error) {
	c.client.budget.earn()
	ctx, cancel := context.WithTimeout(c.request.Context(), c.client.cfg.Total)
	defer cancel()
	answer, err := c.client.retrying.WithContext(ctx).GetWithExecution(c.attempt)
	if answer != nil && (err == nil || isAnswer(err)) {
		return answer, nil
	}
	c.discard()
	return nil, c.fault(err)
}

// attempt sends the call to one replica and judges the outcome. A bad answer is returned together with its failure: the
// caller gets it when there is no further attempt.
func (c *call) attempt(e failsafe.Execution[*http.Response]) (*http.Response, error) {
	c.discard()
	replicas := c.client.replicas
	r, err := replicas.pick(e.Context(), c.tried)
	if err != nil {
		c.refused("all", err)
		return nil, &failure{err: err}
	}
	c.tried = append(c.tried, r)
	leave := r.enter()
	var sent atomic.Bool
	answer, err := r.pass(e.Context(), c.client.cfg, func(ctx context.Context) (*http.Response, error) { return c.send(ctx, r, &sent, leave) })
	if c.open == nil {
		leave() // otherwise it is called when the body is closed
	}
	switch {
	case err == nil && !c.client.cfg.refused(answer.StatusCode):
		return answer, nil
	case err == nil:
		f := &failure{status: answer.StatusCode, retry: c.repeatable && c.affords(e), after: retryAfter(answer.Header), ambiguous: !undone(answer.StatusCode)}
		c.ambiguous = c.ambiguous || f.ambiguous
		return answer, f
	case sent.Load():
		c.ambiguous = true
		return nil, &failure{err: err, ambiguous: true, retry: c.blindly && c.affords(e)}
	}
	if isOpen(err) || errors.Is(err, bulkhead.ErrFull) {
		c.refused(r.name(), err)
	}
	// Nothing has left this program, so any request may be sent again. Another replica is asked at once and outside the
	// budget: for the upstream it is the first attempt of this call. An open breaker is not waited for.
	left := replicas.left(c.tried)
	return nil, &failure{err: err, retry: left || !isOpen(err) && c.affords(e), atOnce: left}
}

// refused tells the trace of an attempt that a breaker or bulkhead has not let out.
func (c *call) refused(replica string, err error) {
	if span := telemetry.Current(c.request.Context()); span.Recording() {
		span.Event("call refused", attribute.String("orderflow.upstream", c.client.cfg.Name), attribute.String("orderflow.replica", replica),
			attribute.String("exception.message", err.Error()))
	}
}

// affords takes a retry from the budget, unless this was the last attempt.
func (c *call) affords(e failsafe.Execution[*http.Response]) bool {
	return e.Retries() < c.client.cfg.Retries && c.client.budget.spend()
}

// send makes one attempt, which is a span. It does not hand ctx to the request but cancels the request when ctx ends too soon:
// ctx always ends when send returns, and would end the body of the answer, which the caller still reads.
func (c *call) send(ctx context.Context, r *replica, sent *atomic.Bool, leave func()) (answer *http.Response, err error) {
	inTrace, span := telemetry.Attempt(c.request.Context(), c.client.cfg.Name, c.request.Method)
	own, cancel := context.WithCancelCause(inTrace)
	detach := context.AfterFunc(ctx, func() { cancel(ctx.Err()) })
	traced := httptrace.WithClientTrace(own, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	begun := time.Now()
	out := c.outgoing(traced, r) //nolint:contextcheck // see above
	if span.Recording() {
		out.Header = maps.Clone(out.Header)
		telemetry.Propagate(inTrace, out.Header)
		defer func() {
			span.Attempted(out.Method, out.URL, c.client.cfg.Name, c.sends, answer, err)
			c.sends++
		}()
	}
	answer, err = r.connections.RoundTrip(out)
	c.record(r, answer, err, time.Since(begun))
	whole := err == nil && (c.whole || c.client.cfg.refused(answer.StatusCode))
	if whole {
		err = readWhole(answer) // a bad answer too: failsafe-go closes none of the answers that it repeats
	}
	if !detach() && err == nil { // the answer came too late: its body has ended as well
		_ = answer.Body.Close()
		err = ctx.Err()
	}
	switch {
	case err != nil:
		cancel(nil)
		if errors.Is(c.request.Context().Err(), context.Canceled) {
			return nil, fmt.Errorf("%w: %w", errGivenUp, err)
		}
		return nil, cmp.Or(ctx.Err(), err) // net/http has several errors for the end of a context
	case whole:
		cancel(nil)
	default:
		answer.Body = open{answer.Body, func() { cancel(nil); leave() }}
		c.open = answer
	}
	return answer, nil
}

// outgoing makes the request of one attempt. It has no GetBody, as net/http would otherwise send it again on its own: it
// does that, with an Idempotency-Key, when a kept connection breaks after the request was written.
func (c *call) outgoing(ctx context.Context, r *replica) *http.Request {
	out := c.request.WithContext(ctx)
	out.Header = c.header // nothing changes it: an earlier attempt may still be reading it
	out.URL, out.RequestURI = r.resolve(c.request.URL), ""
	if !c.client.cfg.KeepHost {
		out.Host = ""
	}
	out.Body, out.GetBody, out.ContentLength = nil, nil, 0
	if len(c.body) > 0 || !c.blindly && out.Header.Get("Idempotency-Key") != "" {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	}
	return out
}

// record counts an attempt, with the time until its answer began.
func (c *call) record(r *replica, answer *http.Response, err error, took time.Duration) {
	about := telemetry.Request{Method: c.request.Method, Proto: c.request.Proto, TLS: r.base.Scheme == "https"}
	if err != nil {
		about.Failed = telemetry.ErrorType(err)
	} else {
		about.Status, about.Proto = answer.StatusCode, answer.Proto
	}
	r.requests.Record(c.request.Context(), about, took, int64(len(c.body)), 0)
	c.keep(took, about)
}

// discard closes an answer that arrived just after a timeout had ended its attempt.
func (c *call) discard() {
	if c.open != nil {
		_ = c.open.Body.Close()
		c.open = nil
	}
}

// readWhole replaces an answer's body by one in memory, so that its connection is free again.
func readWhole(answer *http.Response) error {
	defer func() { _ = answer.Body.Close() }() // all that matters has been read
	body, err := io.ReadAll(io.LimitReader(answer.Body, bodyMost+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > bodyMost {
		return fmt.Errorf("the answer has more than %d bytes", bodyMost)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// open is the body of an answer. Closing it also frees what its request holds.
type open struct {
	io.ReadCloser
	free func()
}

func (b open) Close() error {
	defer b.free()
	return b.ReadCloser.Close()
}
