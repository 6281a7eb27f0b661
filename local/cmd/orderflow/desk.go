package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/system"
)

// desk is the supervisor's API: HTTP on loopback, for callers that can read the key in its folder.
type desk struct {
	file   string
	server *http.Server
	system atomic.Pointer[system.System] // nil until the system is ready
	viewer atomic.Pointer[viewer]        // nil: there is none
}

// sign is the file in the folder from which clients learn the desk's address and key.
type sign struct {
	PID int    `json:"pid"`
	URL string `json:"url"`
	Key string `json:"key"`
}

// report is the answer to a request for the status.
type report struct {
	Ready   bool   `json:"ready"`
	Gateway string `json:"gateway,omitempty"`
	Parts   []part `json:"parts,omitempty"`
}

type part struct {
	Name  string `json:"name"`
	State string `json:"state"`
	URL   string `json:"url"`
	Log   string `json:"log"`
}

func openDesk(ctx context.Context, dir string, stop func()) (*desk, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	d := &desk{file: filepath.Join(dir, "supervisor.json")}
	posted := sign{PID: os.Getpid(), URL: "http://" + listener.Addr().String(), Key: rand.Text()}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /status", d.status)
	routes.HandleFunc("GET /books", d.books)
	routes.HandleFunc("GET /trace", d.trace)
	routes.HandleFunc("POST /start", d.each(func(ctx context.Context, p *system.Part) error { return p.Start(ctx) }))
	routes.HandleFunc("POST /stop", d.each(func(_ context.Context, p *system.Part) error { return p.Stop() }))
	routes.HandleFunc("POST /down", func(http.ResponseWriter, *http.Request) { stop() })
	d.server = &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+posted.Key)) != 1 {
				http.Error(w, "the key is in "+d.file, http.StatusUnauthorized)
				return
			}
			routes.ServeHTTP(w, r)
		}),
	}
	text, err := json.Marshal(posted)
	if err == nil {
		err = os.WriteFile(d.file, text, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tell where commands are taken: %w", err), listener.Close())
	}
	go func() { _ = d.server.Serve(listener) }() // ends when the desk is closed
	return d, nil
}

func (d *desk) close() {
	_ = os.Remove(d.file) // clients detect a stale file
	_ = d.server.Close()
}

func (d *desk) serve(s *system.System) { d.system.Store(s) }

func (d *desk) status(w http.ResponseWriter, _ *http.Request) {
	var r report
	if s := d.system.Load(); s != nil {
		r.Ready, r.Gateway = true, s.GatewayURL
		for _, p := range s.Parts() {
			r.Parts = append(r.Parts, part{p.Name, p.State(), p.URL, p.LogFile()})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(r) // a client that has disconnected needs no answer
}

// books says where the auditor finds the books, passwords included: the key of this desk gives the same rights.
func (d *desk) books(w http.ResponseWriter, _ *http.Request) {
	s := d.system.Load()
	if s == nil {
		http.Error(w, "the system is not ready yet", http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(audit.Of(s, "")) // a client that has disconnected needs no answer
}

func (d *desk) each(do func(context.Context, *system.Part) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := d.system.Load()
		if s == nil {
			http.Error(w, "the system is not ready yet", http.StatusConflict)
			return
		}
		parts := s.Named(r.FormValue("name"))
		if len(parts) == 0 {
			http.Error(w, fmt.Sprintf("there is no %q; `orderflow status` lists what there is", r.FormValue("name")), http.StatusNotFound)
			return
		}
		for _, p := range parts {
			if err := do(r.Context(), p); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = fmt.Fprintf(w, "%s is %s\n", p.Name, p.State()) // as above
		}
	}
}

var errNotRunning = errors.New("the system does not run; `orderflow up` starts it")

// visit sends a request to the supervisor of a folder and returns its answer.
func visit(ctx context.Context, dir, method, path string, query url.Values) ([]byte, error) {
	posted, err := readSign(dir)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, posted.URL+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the supervisor: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+posted.Key)
	response, err := direct.Client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errNotRunning // a supervisor that was killed has left the file behind
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the supervisor: %w", err)
	}
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return nil, errNotRunning // as above, and another program uses its port now
	case response.StatusCode != http.StatusOK:
		return nil, errors.New(string(answer))
	}
	return answer, nil
}

func readSign(dir string) (sign, error) {
	text, err := os.ReadFile(filepath.Join(dir, "supervisor.json"))
	if errors.Is(err, os.ErrNotExist) {
		return sign{}, errNotRunning
	}
	if err != nil {
		return sign{}, fmt.Errorf("find the supervisor: %w", err)
	}
	var posted sign
	if err := json.Unmarshal(text, &posted); err != nil {
		return sign{}, fmt.Errorf("find the supervisor: %w", err)
	}
	return posted, nil
}
