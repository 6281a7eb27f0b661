package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// request returns why the document calls a request invalid; nil: it does not. see gets the name of each parameter and field.
func (d *Document) request(o operation, r *http.Request, body []byte, see func(name string)) error {
	return errors.Join(d.parameters(o, r, see), d.query(o, r.URL.Query()), d.body(o, r, body, see))
}

// parameters returns what is wrong with the path, the query, the header and the token. A token is only looked for: what is in it is
// not for clients to read.
func (d *Document) parameters(o operation, r *http.Request, see func(name string)) error {
	asked := r.Clone(context.Background())
	asked.Body, asked.Method = http.NoBody, o.method
	err := openapi3filter.ValidateRequest(asked.Context(), &openapi3filter.RequestValidationInput{
		Request: asked, PathParams: o.params, Route: o.Route,
		Options: &openapi3filter.Options{ExcludeRequestBody: true, SkipSettingDefaults: true, AuthenticationFunc: authenticated},
	})
	for _, p := range parametersOf(o.PathItem, o.Operation) {
		if p.In == openapi3.ParameterInQuery && r.URL.Query().Has(p.Name) || p.In == openapi3.ParameterInHeader && r.Header.Get(p.Name) != "" {
			see(nameOf(o.Operation, p))
		}
	}
	return err
}

func authenticated(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	scheme, _, _ := strings.Cut(in.RequestValidationInput.Request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, in.SecurityScheme.Scheme) {
		return fmt.Errorf("the request has no %s credentials", in.SecurityScheme.Scheme)
	}
	return nil
}

// parametersOf returns the parameters of an operation, those of its path, too.
func parametersOf(item *openapi3.PathItem, o *openapi3.Operation) (all []*openapi3.Parameter) {
	for _, p := range slices.Concat(item.Parameters, o.Parameters) {
		all = append(all, p.Value)
	}
	return all
}

func nameOf(o *openapi3.Operation, p *openapi3.Parameter) string {
	return fmt.Sprintf("%s: the %s parameter %s", o.OperationID, p.In, p.Name)
}

// query returns an error for a parameter that the document does not have, which kin-openapi allows, and for one that is given twice.
func (d *Document) query(o operation, given url.Values) (err error) {
	known := map[string]*openapi3.Parameter{}
	for _, p := range parametersOf(o.PathItem, o.Operation) {
		if p.In == openapi3.ParameterInQuery {
			known[p.Name] = p
		}
	}
	for name, values := range given {
		p := known[name]
		if p == nil {
			err = errors.Join(err, fmt.Errorf("the document has no query parameter %q", name))
		} else if len(values) > 1 && !p.Schema.Value.Type.Is("array") {
			err = errors.Join(err, fmt.Errorf("the query parameter %q is given %d times", name, len(values)))
		}
	}
	return err
}

func (d *Document) body(o operation, r *http.Request, body []byte, see func(name string)) error {
	if o.Operation.RequestBody == nil {
		if len(body) > 0 {
			return errors.New("the request has a body, and the document has none")
		}
		return nil
	}
	wanted := o.Operation.RequestBody.Value
	if len(body) == 0 {
		if wanted.Required {
			return errors.New("the request has no body")
		}
		return nil
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // empty after an error
	content := wanted.Content[media]
	if content == nil || r.Header.Get("Content-Encoding") != "" {
		return fmt.Errorf("the document has no body of the type %q in the encoding %q", media, r.Header.Get("Content-Encoding"))
	}
	value, err := decode(media, body)
	if err != nil {
		return err
	}
	return d.instance(placeOf(content.Schema, ""), value, func(name string) { see("in a request, " + name) })
}

func decode(media string, body []byte) (any, error) {
	if media != "application/x-www-form-urlencoded" {
		return jsonschema.UnmarshalJSON(bytes.NewReader(body))
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	for name, values := range form {
		if len(values) > 1 {
			return nil, fmt.Errorf("%s is given %d times", name, len(values))
		}
		fields[name] = values[0]
	}
	return fields, nil
}

// instance returns what is wrong with a value, with fields that the document does not have.
func (d *Document) instance(p place, value any, see func(name string)) error {
	err := d.fits(p.ref.Ref, value)
	if unknown := p.visit(value, see); len(unknown) > 0 {
		err = errors.Join(err, fmt.Errorf("the document does not have %s", strings.Join(unknown, ", ")))
	}
	return err
}

// drain reads a body and puts a copy in its place.
func drain(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	text, err := io.ReadAll(*body)
	_ = (*body).Close() // nothing more is read
	*body = io.NopCloser(io.MultiReader(bytes.NewReader(text), failing{err}))
	return text, err
}

// failing is a reader that ends like the one that it was copied from.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
