// Package laboratory is the desk at which the laboratory of the operators' pages asks the supervisor for what no program may do:
// to stop, start and kill programs and servers, and to put a bad message or a mistake into the system. It is HTTP on loopback for
// callers that have its key. That key opens nothing else: it gives no passwords and cannot end the system.
package laboratory

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderflow/local/system"
)

const (
	bodyMost = 1 << 10
	spanMost = 10 * time.Minute // how long something may be asked to stay away
)

// Desk is the supervisor's part of the laboratory.
type Desk struct {
	URL, Key string

	server *http.Server
	system atomic.Pointer[system.System] // nil until the system is ready
	life   context.Context
	end    context.CancelFunc
	doing  sync.WaitGroup

	mu      sync.Mutex
	returns map[string]comeback // by the name of the part
	faulty  bool                // there is a mistake
}

// Open opens the desk on a free port, before the system has started. It refuses everything until Serve.
func Open(ctx context.Context) (*Desk, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the laboratory: %w", err)
	}
	d := &Desk{URL: "http://" + listener.Addr().String(), Key: rand.Text(), returns: map[string]comeback{}}
	d.life, d.end = context.WithCancel(context.WithoutCancel(ctx))
	routes := http.NewServeMux()
	routes.HandleFunc("GET /parts", d.list)
	routes.HandleFunc("POST /parts/{name}/{action}", d.act)
	routes.HandleFunc("POST /poison", d.poison)
	routes.HandleFunc("POST /mistake", d.mistake)
	d.server = &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+d.Key)) != 1:
				refuse(w, http.StatusUnauthorized, "this is not the key of the laboratory")
			case d.system.Load() == nil:
				refuse(w, http.StatusServiceUnavailable, "the system is not ready yet")
			default:
				r.Body = http.MaxBytesReader(w, r.Body, bodyMost)
				routes.ServeHTTP(w, r)
			}
		}),
	}
	go func() { _ = d.server.Serve(listener) }() // ends when the desk is closed
	return d, nil
}

// Env is the settings of bff-web.
func (d *Desk) Env() []string { return []string{"LABORATORY_URL=" + d.URL, "LABORATORY_KEY=" + d.Key} }

// Serve gives the desk a system that is ready. A mistake that an earlier desk has left behind, because its process was killed, is
// mended.
func (d *Desk) Serve(s *system.System) {
	d.system.Store(s)
	d.doing.Go(func() { d.mend(s) })
}

// Close ends the desk, and what it is about to do: the system may be stopped afterwards. What it has stopped stays so.
func (d *Desk) Close() {
	_ = d.server.Close()
	d.end()
	d.doing.Wait()
}

// span is the body of a request: when what it asks for begins, and how long it lasts. Zero means at once, and without an end.
type span struct{ after, within time.Duration }

func read(w http.ResponseWriter, r *http.Request) (s span, ok bool) {
	var body struct {
		After string `json:"after"`
		For   string `json:"for"`
	}
	text, err := io.ReadAll(r.Body)
	if err == nil && len(text) > 0 {
		in := json.NewDecoder(bytes.NewReader(text))
		in.DisallowUnknownFields()
		err = in.Decode(&body)
	}
	parse := func(value string) (d time.Duration) {
		if err == nil && value != "" {
			d, err = time.ParseDuration(value)
		}
		return d
	}
	s.after, s.within = parse(body.After), parse(body.For)
	if err != nil || min(s.after, s.within) < 0 || max(s.after, s.within) > spanMost {
		refuse(w, http.StatusUnprocessableEntity, `the body is nothing or {"after": "5s", "for": "20s"}, each at most %s`, spanMost)
		return s, false
	}
	return s, true
}

// refuse answers with a problem (RFC 9457), the form of all errors that bff-web reads.
func refuse(w http.ResponseWriter, status int, detail string, args ...any) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // a caller that has gone needs no answer
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": fmt.Sprintf(detail, args...),
	})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // as above
}
