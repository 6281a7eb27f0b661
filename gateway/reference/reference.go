// Package reference renders the contracts of package api for people: a page with all routes, and a page for each type of problem.
// Everything is rendered once, when the program starts.
package reference

import (
	"bytes"
	_ "embed" // the page, its style and its script
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"example.com/orderflow/api"
	"example.com/orderflow/pkg/web"
	"go.yaml.in/yaml/v3"
)

// Policy is the Content-Security-Policy of the pages: only what this origin serves, and nothing inline. A form is never sent by the
// browser itself, only by the script.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Person is somebody for whom the demo identity gives out tokens.
type Person struct {
	ID     string
	Scopes []string
}

// File is what is served at a path.
type File struct {
	Path  string
	Media string
	Body  []byte
}

//go:embed page.html
var pageSource string

//go:embed page.css
var style []byte

//go:embed try.js
var script []byte

var templates = template.Must(template.New("page").Parse(pageSource))

// Files renders the pages for an OpenAPI document. people are those who can try the API here; none without a demo identity.
// Paths that are not served here are left out. The error is a mistake in the document.
func Files(openapi []byte, people []Person, served func(path string) bool) ([]File, error) {
	var d document
	if err := yaml.Unmarshal(openapi, &d); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	b := builder{resolver: resolver{document: &d}, people: people}
	d.Paths = slices.DeleteFunc(d.Paths, func(e entry[pathItem]) bool { return !served(e.Key) })
	v := b.view()
	var problems []problemView
	for _, p := range api.Problems {
		problems = append(problems, b.problem(p))
	}
	v.Problems = problems
	if b.err != nil {
		return nil, fmt.Errorf("read the document: %w", b.err)
	}
	files := []File{
		{"/docs/api.css", "text/css; charset=utf-8", style},
		{"/docs/api.js", "text/javascript; charset=utf-8", script},
	}
	render := func(path, name string, data any) error {
		var out bytes.Buffer
		if err := templates.ExecuteTemplate(&out, name, data); err != nil {
			return fmt.Errorf("render %s: %w", path, err)
		}
		files = append(files, File{path, "text/html; charset=utf-8", out.Bytes()})
		return nil
	}
	if err := render("/docs/api", "api", v); err != nil {
		return nil, err
	}
	if err := render(strings.TrimSuffix(web.ProblemPath, "/"), "problems", problems); err != nil {
		return nil, err
	}
	for _, p := range problems {
		if err := render(p.Type, "problem", p); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// problemView is a type of problem on its page.
type problemView struct {
	Type      string
	Name      string
	Status    int
	Text      string // of the status
	Title     string
	Means, Do template.HTML
	Example   string
}

func (b *builder) problem(p api.Problem) problemView {
	text := http.StatusText(p.Status)
	raw, err := json.Marshal(struct {
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		Instance  string `json:"instance"`
		RequestID string `json:"request_id"`
	}{web.ProblemPath + p.Name, text, p.Status, p.Detail, p.Path, "5d9d0f6f0a9c4b6e8a64a1f0c6b7e2d1"})
	b.note(err)
	if p.More != "" {
		raw = append(append(raw[:len(raw)-1], ','), p.More+"}"...)
	}
	var example bytes.Buffer
	b.note(json.Indent(&example, raw, "", "  "))
	return problemView{
		Type: web.ProblemPath + p.Name, Name: p.Name, Status: p.Status, Text: text, Title: p.Title,
		Means: b.markdown(p.Means), Do: b.markdown(p.Do), Example: example.String(),
	}
}

// Tour is the answer to curl at the entrance: commands that lead an order through the system when they are pasted into a shell.
// origin is the address under which the client knows the shop.
func Tour(origin string, people []Person) string {
	var out strings.Builder
	alice := "$(curl -s $api/oauth/token -d grant_type=client_credentials -d client_id=alice -d client_secret=${DEMO_SECRET:-demo} |\n" +
		`  sed 's/.*"access_token":"\([^"]*\)".*/\1/')`
	if len(people) == 0 {
		alice = "… # a token of your identity provider, with the scope orders"
	}
	fmt.Fprintf(&out, tour, origin, alice)
	return out.String()
}

//go:embed tour.txt
var tour string
