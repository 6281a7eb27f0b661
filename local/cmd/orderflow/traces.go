package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"example.com/orderflow/local/system"
	"example.com/orderflow/local/traces"
)

// viewer is the receiver of spans of a system that was started with TRACES=1.
type viewer struct {
	traces.Receiver
	url    string
	server *http.Server
}

// openViewer starts a viewer if the settings want one, and makes the programs of a system send their spans to it. Without one it
// returns nil.
func (s settings) openViewer(ctx context.Context, options *system.Options) (*viewer, error) {
	if !s.traces {
		return nil, nil //nolint:nilnil // nil: there is none
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for spans: %w", err)
	}
	v := &viewer{url: "http://" + listener.Addr().String()}
	v.server = &http.Server{Handler: v.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = v.server.Serve(listener) }() // ends when the viewer is closed
	options.Env[""] = append(options.Env[""], "OTEL_EXPORTER_OTLP_ENDPOINT="+v.url, "OTEL_BSP_SCHEDULE_DELAY=500")
	options.Env["bff-web"] = append(options.Env["bff-web"], "TRACES_URL="+browserURL(v.url)+"/traces/{trace_id}")
	return v, nil
}

func (v *viewer) close() {
	if v != nil {
		_ = v.server.Close() // what has not arrived is of no use any more
	}
}

var errNoTraces = errors.New("the system keeps no traces: start it with `make up TRACES=1`")

// trace is the desk's answer to the question for the trace of an order.
func (d *desk) trace(w http.ResponseWriter, r *http.Request) {
	v := d.viewer.Load()
	if v == nil {
		http.Error(w, errNoTraces.Error(), http.StatusConflict)
		return
	}
	id := v.About(r.FormValue("order"))
	if id == "" {
		http.Error(w, "no trace of an order with this id has arrived", http.StatusNotFound)
		return
	}
	_, _ = fmt.Fprint(w, traces.Tree(v.Trace(id))) // a client that has left needs no answer
}

// showTrace prints the trace of an order as a tree.
func showTrace(ctx context.Context, s settings, args []string) error {
	if len(args) != 1 {
		return errors.New("trace of which order? its id, or the end of it")
	}
	answer, err := visit(ctx, s.dir, http.MethodGet, "/trace", url.Values{"order": {args[0]}})
	fmt.Print(string(answer))
	return err
}
