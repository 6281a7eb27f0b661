package client

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
)

func answer(code int, media, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

type charge struct {
	ID     string `json:"id,omitempty"`
	Amount int    `json:"amount"`
}

func TestJSONGoesOutAndComesIn(t *testing.T) {
	t.Parallel()
	var got http.Header
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		got.Set("Path", r.URL.RequestURI())
		answer(201, "application/json", `{"id":"c1","amount":7}`)(w, r)
	})
	c := New(Config{Name: "provider", URLs: URLs{n.URL + "/provider"}})
	header := http.Header{"Idempotency-Key": {"k"}}
	var out charge
	status, err := c.JSON(t.Context(), "POST", "/charges?expand=all", header, charge{Amount: 7}, &out)
	if err != nil || status != 201 || out != (charge{"c1", 7}) {
		t.Fatalf("status %d, %+v, error %v", status, out, err)
	}
	if n.bodies[0] != `{"amount":7}` || got.Get("Content-Type") != "application/json" || got.Get("Idempotency-Key") != "k" || got.Get("Path") != "/provider/charges?expand=all" {
		t.Errorf("sent %s with %v", n.bodies[0], got)
	}
	if len(header) != 1 {
		t.Errorf("the caller's header has become %v", header)
	}
}

func TestARefusalIsAProblem(t *testing.T) {
	t.Parallel()
	n := serve(t, answer(422, "application/problem+json", `{"type":"urn:x","detail":"no such card","errors":[{"field":"card","message":"unknown"}]}`))
	c := New(Config{Name: "provider", URLs: URLs{n.URL}})
	var out charge
	status, err := c.JSON(t.Context(), "POST", "/charges", nil, charge{}, &out)
	p, ok := errors.AsType[*Problem](err)
	if !ok || status != 422 || p.Status != 422 || p.Type != "urn:x" || p.Detail != "no such card" || !slices.Equal(p.Errors, []fault.Field{{Field: "card", Message: "unknown"}}) {
		t.Fatalf("status %d, error %#v", status, err)
	}
	if Ambiguous(err) || n.requests() != 1 || out != (charge{}) {
		t.Errorf("ambiguous: %t, %d requests, %+v", Ambiguous(err), n.requests(), out)
	}

	n.follow(answer(404, "text/html", `<h1>Not here</h1>`))
	_, err = c.JSON(t.Context(), "GET", "/charges", nil, nil, &out)
	if p, ok := errors.AsType[*Problem](err); !ok || p.Error() != "provider answers 404" || string(p.Body) != `<h1>Not here</h1>` {
		t.Errorf("the error is %#v", err)
	}
}

func TestACallWithoutAUsableAnswerIsAFault(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script    http.HandlerFunc
		status    int
		kind      fault.Kind
		ambiguous bool
	}{
		"later":         {status(503), 503, fault.Unavailable, false},
		"too often":     {status(429), 429, fault.Unavailable, false},
		"broken":        {status(500), 500, fault.BadGateway, true},
		"elsewhere":     {status(302), 302, fault.BadGateway, true},
		"nonsense":      {answer(200, "application/json", `<h1>`), 200, fault.BadGateway, true},
		"twice":         {answer(200, "application/json", `{"id":"a","id":"b"}`), 200, fault.BadGateway, true},
		"in capitals":   {answer(200, "application/json", `{"id":"a","ID":"b"}`), 200, fault.BadGateway, true},
		"no Unicode":    {answer(200, "application/json", `{"id":"\ud800"}`), 200, fault.BadGateway, true},
		"without end":   {answer(200, "application/json", strings.Repeat(" ", bodyMost+1)), 0, fault.Unavailable, true},
		"cut off":       {cutOff, 0, fault.Unavailable, true},
		"without a bit": {stuck, 0, fault.Timeout, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := serve(t, test.script)
			c := New(Config{Name: "provider", URLs: URLs{n.URL}, Timeout: 3 * time.Second})
			var out charge
			got, err := c.JSON(t.Context(), "POST", "/charges", nil, charge{}, &out)
			wantKind(t, err, test.kind)
			if _, ok := errors.AsType[*Problem](err); ok {
				t.Error("it is called a refusal")
			}
			if got != test.status || Ambiguous(err) != test.ambiguous || n.requests() != 1 {
				t.Errorf("status %d, ambiguous: %t, %d requests", got, Ambiguous(err), n.requests())
			}
		})
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"id":`)
}

func stuck(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"id":`)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func TestAnAnswerThatBreaksOffIsAskedForAgain(t *testing.T) {
	t.Parallel()
	n := serve(t, cutOff, stuck, answer(200, "application/json", `{"id":"c1"}`))
	c := New(Config{Name: "provider", URLs: URLs{n.URL}, Timeout: 3 * time.Second})
	var out charge
	if status, err := c.JSON(t.Context(), "GET", "/charges", nil, nil, &out); status != 200 || out.ID != "c1" {
		t.Errorf("status %d, %+v, error %v", status, out, err)
	}
}
