package contract

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Transport compares each request and its answer with the document. What is wrong is an error of the test. After the end of the test,
// for example in a goroutine that still follows an order, it is one of the whole run: see Document.Unseen.
func (d *Document) Transport(t testing.TB, next http.RoundTripper) http.RoundTripper {
	w := &watcher{d: d, next: next, t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
	})
	return w
}

type watcher struct {
	d    *Document
	next http.RoundTripper

	mu   sync.Mutex
	t    testing.TB
	over bool
}

func (w *watcher) wrong(r *http.Request, status int, format string, args ...any) {
	text := fmt.Sprintf("%s %s, answered with %d: %s", r.Method, r.URL.RequestURI(), status, fmt.Sprintf(format, args...))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		w.d.mu.Lock()
		defer w.d.mu.Unlock()
		w.d.late = append(w.d.late, w.t.Name()+": "+text)
		return
	}
	w.t.Errorf("%s", text)
}

// RoundTrip sends a request. An answer that breaks off is not compared.
func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	if !ofAPI(r.URL.Path) {
		return w.next.RoundTrip(r)
	}
	sent := r.Clone(r.Context())
	body, err := drain(&sent.Body)
	if err != nil {
		return nil, err
	}
	answer, err := w.next.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	wrong := func(err error) {
		if err != nil {
			w.wrong(r, answer.StatusCode, "%v", err)
		}
	}
	o, known := w.d.find(r)
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); known && media == streamType && r.Method != http.MethodHead {
		wrong(w.d.streams(o, r, body, answer, wrong))
		return answer, nil
	}
	switch text, brokenOff := drain(&answer.Body); {
	case brokenOff != nil: // nothing to compare
	case !known:
		wrong(w.d.nothing(r, answer, text, func(name string) { w.d.see(name) }))
	default:
		wrong(w.d.exchange(o, r, body, answer, text))
	}
	return answer, nil //nolint:nilerr // the client gets the error when it reads the body
}

// exchange returns what is wrong with a request and its answer.
func (d *Document) exchange(o operation, r *http.Request, body []byte, answer *http.Response, text []byte) error {
	var used []string
	invalid := d.request(o, r, body, func(name string) { used = append(used, name) })
	if answer.StatusCode < http.StatusBadRequest {
		if invalid != nil {
			return fmt.Errorf("the document calls the request invalid: %w", invalid)
		}
		d.see(used...)
	}
	return d.answer(o, r.Method, answer, text, func(name string) { d.see(name) })
}

// streams looks at the beginning of a stream, and then at each event.
func (d *Document) streams(o operation, r *http.Request, body []byte, answer *http.Response, wrong func(error)) error {
	says, _ := o.answerOf(answer.StatusCode)
	answer.Body = &eventual{ReadCloser: answer.Body, event: func(fields map[string]string) {
		if err := d.event(says, fields, func(name string) { d.see(name) }); err != nil {
			wrong(err)
		}
	}}
	return d.exchange(o, r, body, answer, nil)
}

func (d *Document) see(names ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		d.seen[name] = true
	}
}

// Unseen returns what the document has and nobody has seen: statuses of operations, header fields, media types, fields, values, events and
// parameters. It also returns what was wrong after the end of a test.
func (d *Document) Unseen() error {
	wanted := map[string]bool{}
	d.everything(func(name string) { wanted[name] = true })
	d.mu.Lock()
	defer d.mu.Unlock()
	var missing []string
	for name := range wanted {
		if !d.seen[name] {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	text := slices.Clone(d.late)
	if len(missing) > 0 {
		text = append(text, fmt.Sprintf("api/openapi.yaml has what no test has seen:\n%s", strings.Join(missing, "\n")))
	}
	if len(text) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(text, "\n"))
}
