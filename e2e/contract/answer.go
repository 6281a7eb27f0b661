package contract

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	problemRef  = "#/components/schemas/Problem"
	problemType = "application/problem+json"
	streamType  = "text/event-stream"

	extraStatuses = "x-statuses"                // of an answer default: the statuses that it stands for
	extraHeaders  = "x-headers-of-every-answer" // of the document
	extraEvents   = "x-events"                  // of a stream
	extraUnseen   = "x-unseen"                  // of an answer default and of values: those that no test can cause, and why
)

// ofHTTP are header fields that belong to the transfer of an answer and not to the API.
var ofHTTP = []string{"Connection", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Transfer-Encoding"}

// described is what the document says about an answer, and the name by which it is remembered: that of a component, or of the
// operation with the status.
type described struct {
	*openapi3.Response
	name string
}

func describe(ref *openapi3.ResponseRef, o *openapi3.Operation, status string) described {
	if ref.Ref != "" {
		return described{ref.Value, ref.Ref[len("#/components/responses/"):]}
	}
	return described{ref.Value, o.OperationID + " " + status}
}

// answerOf returns what the document says about a status of an operation; false: nothing.
func (o operation) answerOf(status int) (described, bool) {
	text := strconv.Itoa(status)
	if ref := o.Operation.Responses.Value(text); ref != nil {
		return describe(ref, o.Operation, text), true
	}
	ref := o.Operation.Responses.Default()
	if ref == nil {
		return described{}, false
	}
	_, ok := statusesOf(ref.Value)[text]
	return describe(ref, o.Operation, "default"), ok
}

// statusesOf returns the statuses that an answer default stands for.
func statusesOf(r *openapi3.Response) map[string]any {
	return extension[map[string]any](r.Extensions, extraStatuses)
}

// extension reads a field of the document whose name begins with x-. The zero value means that there is none, or another one.
func extension[T any](all map[string]any, name string) (value T) {
	text, err := json.Marshal(all[name])
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		var none T
		return none
	}
	return value
}

// answer returns what is wrong with an answer. The body of a stream is looked at elsewhere, event by event.
func (d *Document) answer(o operation, method string, a *http.Response, body []byte, see func(name string)) error {
	says, ok := o.answerOf(a.StatusCode)
	if !ok {
		return fmt.Errorf("the document has no status %d for %s", a.StatusCode, o.Operation.OperationID)
	}
	see(fmt.Sprintf("%s %d", o.Operation.OperationID, a.StatusCode))
	see(fmt.Sprintf("an answer %d", a.StatusCode))
	return errors.Join(d.headers(says, a.Header, see), d.content(says, method, a, body, see))
}

func (d *Document) headers(says described, given http.Header, see func(name string)) (err error) {
	for name, values := range given {
		if slices.Contains(ofHTTP, name) {
			continue
		}
		ref := ""
		for known, header := range says.Headers {
			if http.CanonicalHeaderKey(known) == name {
				ref = header.Ref
				see(says.name + ": the header " + known)
			}
		}
		for _, known := range d.always {
			if http.CanonicalHeaderKey(known) == name {
				ref = "#/components/headers/" + known
				see("any answer: the header " + known)
			}
		}
		if ref == "" {
			err = errors.Join(err, fmt.Errorf("the document has no header %s in the answer %q", name, says.name))
			continue
		}
		for _, value := range values {
			var instance any = value
			if _, wrong := strconv.Atoi(value); wrong == nil && d.isInteger(ref) {
				instance = json.Number(value)
			}
			if wrong := d.fits(ref+"/schema", instance); wrong != nil {
				err = errors.Join(err, fmt.Errorf("the header %s: %q: %w", name, value, wrong))
			}
		}
	}
	for name, header := range says.Headers {
		if header.Value.Required && given.Get(name) == "" {
			err = errors.Join(err, fmt.Errorf("the answer has no header %s", name))
		}
	}
	return err
}

func (d *Document) isInteger(ref string) bool {
	header := d.api.Components.Headers[ref[len("#/components/headers/"):]]
	return header != nil && header.Value.Schema.Value.Type.Is("integer")
}

func (d *Document) content(says described, method string, a *http.Response, body []byte, see func(name string)) error {
	if method == http.MethodHead {
		return nil
	}
	if len(says.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("the document has no body in the answer %q", says.name)
		}
		return nil
	}
	media, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")) // empty after an error
	content := says.Content[media]
	if content == nil {
		return fmt.Errorf("the document has no body of the type %q in the answer %q", media, says.name)
	}
	see(says.name + " as " + media)
	if media != "application/json" && media != problemType {
		return nil
	}
	text, err := plain(a.Header, body)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return d.instance(placeOf(content.Schema, ""), value, see)
}

// plain returns a body that may have been compressed.
func plain(header http.Header, body []byte) ([]byte, error) {
	if header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzipped)
}

// nothing checks the answer to a request for which the document has no operation. A path that belongs to the API must then not be
// found, or the method must not be allowed.
func (d *Document) nothing(r *http.Request, a *http.Response, body []byte, see func(name string)) error {
	switch {
	case r.Method == http.MethodOptions && a.StatusCode == http.StatusNoContent:
		return nil
	case a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusMethodNotAllowed:
		return fmt.Errorf("the document has no such operation, and the answer is %d", a.StatusCode)
	case a.Header.Get("Content-Type") != problemType || r.Method == http.MethodHead:
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return d.instance(d.component(problemRef), value, see)
}
