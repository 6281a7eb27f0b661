package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	maxBody     = 64 << 10
	maxKey      = 255
	pageMost    = 10_000           // items on one page of a book
	sendTimeout = 10 * time.Second // for a caller that does not read
)

// handler answers one call. A refusal is a normal answer.
type handler func(r *http.Request) answer

// answer is the answer to a call, or the decision to lose it.
type answer struct {
	status   int
	body     any
	recorded bool          // this call itself, not an earlier one with its key, changed the books
	lost     bool          // the connection is reset without an answer
	after    time.Duration // how long the caller waits before the reset
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// created is the answer to the call that created body; later calls with the same key get ok(body).
func created(body any) answer { return answer{status: http.StatusCreated, body: body, recorded: true} }

// problem is the body of every error (RFC 9457). Code is for programs, Detail for people.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Code     string `json:"code"`
}

func refuse(status int, code, detail string, args ...any) answer {
	return answer{status: status, body: problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(detail, args...), Code: code,
	}}
}

func invalid(detail string, args ...any) answer {
	return refuse(http.StatusUnprocessableEntity, "invalid", detail, args...)
}

// keyReused refuses a key that was used with another body. It is always a mistake of the caller, and a costly one.
func keyReused(key string) answer {
	return refuse(http.StatusUnprocessableEntity, "idempotency_key_reused", "key %q was used with another body", key)
}

// outcome returns the name of the answer in metrics and logs.
func (a answer) outcome() string {
	switch {
	case a.lost && a.after > 0:
		return "withheld"
	case a.lost:
		return "reset"
	default:
		return strconv.Itoa(a.status)
	}
}

// serve reads the whole body, up to a limit, before it calls h: only then does net/http notice a caller that leaves, and stop
// counting the time against ReadTimeout. Handlers may be slow on purpose.
func serve(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			send(w, r, refuse(http.StatusRequestEntityTooLarge, "too_large", "a body has at most %d bytes", maxBody))
			return
		}
		if err != nil {
			send(w, r, refuse(http.StatusBadRequest, "malformed", "the body could not be read"))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		send(w, r, h(r))
	}
}

// keyed returns the handler of a POST that may be repeated: it calls do with the idempotency key and the body.
func keyed[T any](do func(key string, in T) answer) handler {
	return func(r *http.Request) answer {
		key := r.Header.Get("Idempotency-Key")
		if key == "" || len(key) > maxKey {
			return refuse(http.StatusBadRequest, "key_required", "Idempotency-Key must have 1 to %d characters", maxKey)
		}
		var in T
		if err := decode(json.NewDecoder(r.Body), &in); err != nil {
			return refuse(http.StatusBadRequest, "malformed", "the body is not the JSON expected here: %v", err)
		}
		return do(key, in)
	}
}

// decode reads exactly one value.
func decode(in *json.Decoder, v any) error {
	if err := in.Decode(v); err != nil {
		return err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one value")
	}
	return nil
}

// byKey returns the handler that answers with a list of what was recorded under a key: one item, or none.
func byKey[T any](find func(key string) (T, bool)) handler {
	return func(r *http.Request) answer {
		key := r.URL.Query().Get("key")
		if key == "" {
			return refuse(http.StatusBadRequest, "key_required", "the parameter key is missing")
		}
		if found, exists := find(key); exists {
			return list([]T{found})
		}
		return list([]T{})
	}
}

func list[T any](items []T) answer {
	return ok(struct {
		Items []T `json:"items"`
	}{items})
}

// page returns the items of a book after the given number of items, converted by show. A limit that is too high is refused, not
// lowered, because a reader takes a short page for the last one.
func page[T, V any](r *http.Request, book []T, show func(T) V) answer {
	query := r.URL.Query()
	after, errAfter := strconv.Atoi(cmp.Or(query.Get("after"), "0"))
	limit, errLimit := strconv.Atoi(cmp.Or(query.Get("limit"), "1000"))
	if errAfter != nil || errLimit != nil || after < 0 || limit < 1 || limit > pageMost {
		return refuse(http.StatusBadRequest, "malformed", "after is a number of things and limit is from 1 to %d", pageMost)
	}
	rest := book[min(after, len(book)):]
	shown := make([]V, min(limit, len(rest)))
	for i := range shown {
		shown[i] = show(rest[i])
	}
	return list(shown)
}

// send writes the answer, or loses it.
func send(w http.ResponseWriter, r *http.Request, a answer) {
	if a.lost {
		wait(r.Context(), a.after)
		reset(w)
		return
	}
	contentType := "application/json"
	if p, isProblem := a.body.(problem); isProblem {
		p.Instance = r.URL.Path
		a.body, contentType = p, "application/problem+json"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout))
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // it fails only if the caller has gone
}

// reset ends the connection so that the caller gets "connection reset by peer": without linger, closing sends RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http then closes the connection
	}
	if tcp, isTCP := conn.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// wait returns after d, or earlier if the caller has gone or the program stops.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// withProblems turns the 404 and 405 of the mux, which are plain text, into problems.
func withProblems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		unrouted := &headOnly{header: w.Header()} // shares the header, so that Allow reaches the caller
		mux.ServeHTTP(unrouted, r)
		send(w, r, refuse(unrouted.status, "no_route", "there is no %s %s", r.Method, r.URL.Path))
	})
}

// headOnly is a ResponseWriter that keeps the status and drops the body.
type headOnly struct {
	header http.Header
	status int
}

func (h *headOnly) Header() http.Header         { return h.header }
func (h *headOnly) WriteHeader(status int)      { h.status = status }
func (h *headOnly) Write(p []byte) (int, error) { return len(p), nil }
