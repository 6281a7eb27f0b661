// Package traces is a receiver of spans for a machine without a collector: it takes what the programs send by OTLP, keeps the last
// spans in memory, and shows a trace as a tree of text. The tests look with it at what a system has recorded.
package traces

import (
	"compress/gzip"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	spansMost = 100_000  // the oldest are forgotten first
	bodyMost  = 16 << 20 // bytes of a request
	listMost  = 100      // traces on the first page
)

// Receiver keeps spans. The zero Receiver is ready.
type Receiver struct {
	mu    sync.Mutex
	spans []Span // as they came
}

// Handler takes spans at POST /v1/traces (OTLP over HTTP, protobuf), lists the last traces at GET /, and shows a trace at GET
// /traces/{id}.
func (r *Receiver) Handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("POST /v1/traces", r.take)
	routes.HandleFunc("GET /{$}", r.list)
	routes.HandleFunc("GET /traces/{id}", r.show)
	return routes
}

func (r *Receiver) take(w http.ResponseWriter, request *http.Request) {
	body := io.Reader(http.MaxBytesReader(w, request.Body, bodyMost))
	if request.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = io.LimitReader(unzipped, bodyMost)
	}
	raw, err := io.ReadAll(body)
	// The body is an ExportTraceServiceRequest, which has the same fields as TracesData. That type would bring gRPC along.
	var data otlp.TracesData
	if err == nil {
		err = proto.Unmarshal(raw, &data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, spansOf(&data)...)
	r.spans = slices.Delete(r.spans, 0, max(0, len(r.spans)-spansMost))
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer means that all were taken
}

// Spans returns all spans that hold for a condition.
func (r *Receiver) Spans(which func(Span) bool) (found []Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if which(s) {
			found = append(found, s)
		}
	}
	return found
}

// Trace returns the spans of a trace.
func (r *Receiver) Trace(id string) []Span {
	return r.Spans(func(s Span) bool { return s.Trace == id })
}

// About returns the id of the trace in which an order was placed, or "". end is its id, or the end of it.
func (r *Receiver) About(end string) string {
	placed := r.Spans(func(s Span) bool {
		return s.Kind == "server" && s.Program == "orders" && end != "" && strings.HasSuffix(s.Attributes["orderflow.order.id"], strings.ToLower(end))
	})
	if len(placed) == 0 {
		return ""
	}
	return placed[0].Trace
}

var page = template.Must(template.New("traces").Parse(`<!doctype html><meta charset="utf-8"><title>Traces</title><pre>
{{range .}}<a href="/traces/{{.Trace}}">{{.Trace}}</a>  {{.Start.Format "15:04:05"}}  {{.Program}}  {{.Name}}
{{else}}There are no traces yet.
{{end}}</pre>
`))

func (r *Receiver) list(w http.ResponseWriter, _ *http.Request) {
	roots := r.Spans(func(s Span) bool { return s.Parent == "" })
	slices.SortFunc(roots, func(a, b Span) int { return b.Start.Compare(a.Start) })
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, roots[:min(len(roots), listMost)]) // a client that has left needs no answer
}

func (r *Receiver) show(w http.ResponseWriter, request *http.Request) {
	spans := r.Trace(request.PathValue("id"))
	if len(spans) == 0 {
		http.Error(w, "there is no such trace; it may have been forgotten, or not have arrived yet", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, Tree(spans)) // likewise
}
