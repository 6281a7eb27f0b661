package contract

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const sample = `
openapi: 3.1.0
info: {title: Sample, version: '1'}
x-headers-of-every-answer: [X-Request-Id]
paths:
  /api/things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: getThing
      security: [{bearer: [orders]}]
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 9}}
        - {name: sku, in: query, schema: {type: array, items: {type: string}}}
      responses:
        '200':
          description: The thing.
          headers: {Location: {$ref: '#/components/headers/Location'}}
          content:
            application/json: {schema: {$ref: '#/components/schemas/Thing'}}
            text/event-stream:
              schema: {type: string}
              x-events: [{event: message, data: {$ref: '#/components/schemas/Thing'}}, {event: end, data: {$ref: '#/components/schemas/Nothing'}}]
        '304': {description: No news.}
        default: {$ref: '#/components/responses/Problem'}
    put:
      operationId: putThing
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Edit'}}}}
      responses:
        '204': {description: Done.}
        default: {$ref: '#/components/responses/Problem'}
components:
  securitySchemes: {bearer: {type: http, scheme: bearer}}
  headers:
    Location: {required: true, schema: {type: string, pattern: '^/'}}
    X-Request-Id: {schema: {type: string, maxLength: 3}}
  responses:
    Problem:
      description: An error.
      x-statuses: {'503': {when: away}, '500': {when: broken}}
      x-unseen: {'500': a mistake}
      content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
  schemas:
    Thing:
      type: object
      required: [seq, kind]
      properties:
        seq: {type: integer}
        kind: {type: string, enum: [big, small, never], x-unseen: {never: it is for later}}
        at: {type: string, format: date-time}
        parts: {type: array, items: {type: object, properties: {name: {type: string}}}}
        owner: {oneOf: [{$ref: '#/components/schemas/Owner'}, {type: 'null'}]}
        counts: {type: object, additionalProperties: {type: integer}}
        any: {}
    Owner: {allOf: [{$ref: '#/components/schemas/Person'}, {properties: {since: {type: string}}}]}
    Person: {type: object, properties: {name: {type: string}}}
    Edit: {type: object, required: [kind], properties: {kind: {type: string}}}
    Nothing: {type: object, maxProperties: 0}
    Problem: {type: object, required: [type], properties: {type: {type: string}}}
`

// recorder is a test that only records its errors.
type recorder struct {
	testing.TB
	errors  []string
	cleanup func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Cleanup(f func()) { r.cleanup = f }
func (r *recorder) Name() string     { return "TestRecorded" }

type exchanged struct {
	method, path, media, body string
	status                    int
	header                    http.Header
	answer                    string
}

// send sends a request to a server that gives an answer, and returns what was wrong.
func send(t *testing.T, d *Document, x exchanged) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), x.header)
		w.WriteHeader(x.status)
		_, _ = io.WriteString(w, x.answer)
	}))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), x.method, server.URL+x.path, strings.NewReader(x.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token")
	if x.media != "" {
		r.Header.Set("Content-Type", x.media)
	}
	said := &recorder{TB: t}
	a, err := (&http.Client{Transport: d.Transport(said, http.DefaultTransport)}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(a.Body)
	if err != nil || string(text) != x.answer && x.method != http.MethodHead {
		t.Errorf("the client got %q, %v", text, err)
	}
	return said.errors
}

func TestWhatIsNotInTheDocumentIsAnError(t *testing.T) {
	t.Parallel()
	d, err := Load([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	const whole = `{"seq":1,"kind":"big","at":"2026-01-02T03:04:05Z","parts":[{"name":"a"}],"owner":{"name":"b","since":"c"},"counts":{"x":1},"any":{"y":2}}`
	asJSON := http.Header{"Content-Type": {"application/json"}, "Location": {"/x"}, "X-Request-Id": {"r-1"}}
	with := func(name string, values ...string) http.Header {
		h := asJSON.Clone()
		h[name] = values
		return h
	}
	problem := http.Header{"Content-Type": {"application/problem+json"}}
	events := with("Content-Type", "text/event-stream")
	for _, test := range []struct {
		name string
		exchanged
		want string // part of the error; empty: there is none
	}{
		{"all is written down", exchanged{"GET", "/api/things/1?limit=3&sku=a&sku=b", "", "", 200, asJSON, whole}, ""},
		{"the least", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1,"kind":"small","owner":null}`}, ""},
		{"HEAD", exchanged{"HEAD", "/api/things/1", "", "", 200, asJSON, ""}, ""},
		{"a status", exchanged{"GET", "/api/things/1", "", "", 201, asJSON, whole}, "no status 201"},
		{"a status that default does not stand for", exchanged{"GET", "/api/things/1", "", "", 502, problem, `{"type":"x"}`}, "no status 502"},
		{"a status that default stands for", exchanged{"GET", "/api/things/1", "", "", 503, problem, `{"type":"x"}`}, ""},
		{"a header", exchanged{"GET", "/api/things/1", "", "", 200, with("X-Other", "1"), whole}, "no header X-Other"},
		{"a header that is missing", exchanged{"GET", "/api/things/1", "", "", 200, http.Header{"Content-Type": {"application/json"}}, whole}, "has no header Location"},
		{"a wrong header", exchanged{"GET", "/api/things/1", "", "", 200, with("Location", "x"), whole}, "header Location"},
		{"a wrong header of every answer", exchanged{"GET", "/api/things/1", "", "", 200, with("X-Request-Id", "r-1", "long"), whole}, "header X-Request-Id"},
		{"a media type", exchanged{"GET", "/api/things/1", "", "", 200, with("Content-Type", "text/plain"), whole}, `type "text/plain"`},
		{"a field", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1,"kind":"big","new":1}`}, `the field "new" of Thing`},
		{"a field within a list", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1,"kind":"big","parts":[{"new":1}]}`}, `the field "new" of Thing.parts[]`},
		{"a field within parts", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1,"kind":"big","owner":{"new":1}}`}, `the field "new" of Owner`},
		{"a field that is missing", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1}`}, "missing property 'kind'"},
		{"a type", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":"1","kind":"big"}`}, "got string, want integer"},
		{"a value", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1,"kind":"huge"}`}, "must be one of"},
		{"a format", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1,"kind":"big","at":"today"}`}, "date-time"},
		{"a value in a map", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{"seq":1,"kind":"big","counts":{"x":"1"}}`}, "got string, want integer"},
		{"a body", exchanged{"GET", "/api/things/1", "", "", 200, asJSON, `{`}, "EOF"},
		{"a body where there is none", exchanged{"GET", "/api/things/1", "", "", 203, asJSON, ``}, "no status 203"},
		{"events", exchanged{"GET", "/api/things/1", "", "", 200, events, "retry: 5\n\nid: 1\ndata: {\"seq\":1,\"kind\":\"big\"}\n\nevent: end\ndata: {}\n\n"}, ""},
		{"a stream that breaks off", exchanged{"GET", "/api/things/1", "", "", 200, events, "event: end\nda"}, ""},
		{"an event", exchanged{"GET", "/api/things/1", "", "", 200, events, "event: other\ndata: {}\n\n"}, `no event "other"`},
		{"the field of an event", exchanged{"GET", "/api/things/1", "", "", 200, events, "event: end\nx: 1\ndata: {}\n\n"}, `the field "x"`},
		{"the data of an event", exchanged{"GET", "/api/things/1", "", "", 200, events, "event: end\ndata: {\"x\":1}\n\n"}, "maxProperties"},
		{"the id of an event", exchanged{"GET", "/api/things/1", "", "", 200, events, "id: 2\ndata: {\"seq\":1,\"kind\":\"big\"}\n\n"}, `the id "2"`},
		{"an invalid parameter that is accepted", exchanged{"GET", "/api/things/1?limit=10", "", "", 200, asJSON, whole}, "calls the request invalid"},
		{"a parameter that is accepted", exchanged{"GET", "/api/things/1?new=1", "", "", 200, asJSON, whole}, `no query parameter "new"`},
		{"a parameter that is accepted twice", exchanged{"GET", "/api/things/1?limit=1&limit=2", "", "", 200, asJSON, whole}, "2 times"},
		{"an invalid parameter that is refused", exchanged{"GET", "/api/things/1?limit=10", "", "", 503, problem, `{"type":"x"}`}, ""},
		{"a request", exchanged{"PUT", "/api/things/1", "application/json", `{"kind":"big"}`, 204, nil, ""}, ""},
		{"a field that is accepted", exchanged{"PUT", "/api/things/1", "application/json", `{"kind":"big","new":1}`, 204, nil, ""}, `the field "new" of Edit`},
		{"a missing field that is accepted", exchanged{"PUT", "/api/things/1", "application/json", `{}`, 204, nil, ""}, "missing property 'kind'"},
		{"a missing body that is accepted", exchanged{"PUT", "/api/things/1", "application/json", ``, 204, nil, ""}, "no body"},
		{"a media type that is accepted", exchanged{"PUT", "/api/things/1", "text/plain", `{"kind":"big"}`, 204, nil, ""}, `type "text/plain"`},
		{"an operation", exchanged{"DELETE", "/api/things/1", "", "", 204, nil, ""}, "no such operation"},
		{"a path", exchanged{"GET", "/api/other", "", "", 200, asJSON, `{}`}, "no such operation"},
		{"a method that is not allowed", exchanged{"DELETE", "/api/things/1", "", "", 405, problem, `{"type":"x"}`}, ""},
		{"a path that is not found", exchanged{"GET", "/api/other", "", "", 404, problem, `{"type":"x"}`}, ""},
		{"not found, with a field", exchanged{"GET", "/api/other", "", "", 404, problem, `{"type":"x","new":1}`}, `the field "new" of Problem`},
		{"a page", exchanged{"GET", "/other", "", "", 200, http.Header{"Content-Type": {"text/html"}}, `hello`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, d, test.exchanged)
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("the errors are %q, want %q", got, test.want)
			}
		})
	}
}

func TestARequestWithoutATokenMustBeRefused(t *testing.T) {
	t.Parallel()
	d, err := Load([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/api/things/1", nil)
	o, _ := d.find(r)
	if err := d.request(o, r, nil, func(string) {}); err == nil || !strings.Contains(err.Error(), "no bearer credentials") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsOnlyInTheDocumentIsAnError(t *testing.T) {
	t.Parallel()
	d, err := Load([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	unseen := func() []string {
		err := d.Unseen()
		if err == nil {
			return nil
		}
		return strings.Split(err.Error(), "\n")[1:]
	}
	all := unseen()
	for _, want := range []string{
		"getThing 200", "getThing 304", "putThing 204", "an answer 503", "getThing 200: the header Location", "any answer: the header X-Request-Id",
		"getThing 200 as application/json", "getThing 200 as text/event-stream", "Problem as application/problem+json", "Thing.owner", "Owner.name", "Owner.since",
		"Thing.parts[].name", "Thing.kind = small", "the event end", "getThing: the query parameter limit", "in a request, Edit.kind",
	} {
		if !slices.Contains(all, want) {
			t.Errorf("%q is not missed", want)
		}
	}
	for _, not := range []string{"an answer 500", "Thing.kind = never"} {
		if slices.Contains(all, not) {
			t.Errorf("%q is missed, and no test can cause it", not)
		}
	}
	h := http.Header{"Content-Type": {"application/json"}, "Location": {"/x"}, "X-Request-Id": {"r"}}
	send(t, d, exchanged{"GET", "/api/things/1?limit=3", "", "", 200, h, `{"seq":1,"kind":"big"}`})
	send(t, d, exchanged{"PUT", "/api/things/1", "application/json", `{"kind":"big"}`, 503, http.Header{"Content-Type": {"application/problem+json"}}, `{"type":"x"}`})
	left := unseen()
	for _, seen := range []string{"getThing 200", "Thing.seq", "Thing.kind = big", "getThing: the query parameter limit", "an answer 503", "Problem.type"} {
		if slices.Contains(left, seen) {
			t.Errorf("%q is missed, and was seen", seen)
		}
	}
	for _, missed := range []string{"putThing 204", "in a request, Edit.kind", "Thing.at"} {
		if !slices.Contains(left, missed) {
			t.Errorf("%q is not missed, and was not seen", missed)
		}
	}
}

func TestWhatIsWrongAfterATestIsNotLost(t *testing.T) {
	t.Parallel()
	d, err := Load([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	said := &recorder{TB: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer server.Close()
	client := &http.Client{Transport: d.Transport(said, http.DefaultTransport)}
	said.cleanup()
	a, err := client.Get(server.URL + "/api/other")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if err := d.Unseen(); len(said.errors) > 0 || err == nil || !strings.Contains(err.Error(), "TestRecorded: GET /api/other, answered with 418") {
		t.Errorf("the test said %v, and the run %v", said.errors, err)
	}
}
