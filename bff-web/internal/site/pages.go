// Package site is what all pages have in common: the layout, signing in, notices and error pages.
package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/bff-web/static"
	"example.com/orderflow/bff-web/templates"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// contentPolicy allows a page only what its own origin serves, and nothing inline.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Site is what all pages share: the templates, each within the layout, the static files, and who is signed in.
type Site struct {
	Config
	templates map[string]*template.Template
	version   string // of the static files; it is part of their URLs, so that browsers may keep them for ever
}

// Config is what the program that has the site knows about it.
type Config struct {
	Log      *slog.Logger
	Sealer   visitor.Sealer // of the sessions
	Verifier web.Verifier   // of their tokens
	Gateway  *client.Client // where the tokens come from
	Secret   string         // for the gateway

	People     []Person // who can sign in; none without the demo identity
	Links      []Link   // in the footer
	Laboratory bool     // there is one, so pages lead to it
}

// screen is the data of a template: what all pages show, and Data for this page.
type screen struct {
	Who    *visitor.Session // nil: not signed in
	Cart   int              // units in the cart
	Notice *notice
	Here   string // path and query, to come back to
	Path   string
	Others []Person // whom the visitor can switch to; none on the page that asks who the visitor is
	Links  []Link
	Lab    bool // there is a laboratory
	Data   any
}

// Link is an address with a name.
type Link struct{ Name, Address string }

// confirm is a button that asks before it does something that cannot be undone. It needs no script.
type confirm struct {
	Action, Label, Question, Yes string
	Reason                       string // label of the input for a reason; empty: there is none
}

func newConfirm(action, label, question, yes, reason string) confirm {
	return confirm{action, label, question, yes, reason}
}

// as is a button that makes the visitor a person of the demo, and leads to a page.
type as struct{ Who, Next, Label string }

func newAs(who, next, label string) as { return as{who, next, label} }

// New reads the templates. An error says which of them is wrong.
func New(cfg Config) (*Site, error) {
	version, err := hashOf(static.Files)
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	p := &Site{Config: cfg, templates: map[string]*template.Template{}, version: version}
	functions := template.FuncMap{
		"static": func(file string) string { return "/static/" + file + "?v=" + version },
		"money":  Money, "label": orders.Label, "when": usually, "exactly": exactly, "short": short, "confirm": newConfirm, "as": newAs,
	}
	names, err := fs.Glob(templates.Files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	for _, name := range names {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(templates.Files, "layout.html", "parts/*.html", name)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		p.templates[name] = t
	}
	return p, nil
}

func hashOf(files fs.FS) (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		hash.Write(content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil)[:6]), err
}

// Render answers with a page. The page is complete before its first byte is sent, so that an error in a template gives a proper
// error page.
func (s *Site) Render(c echo.Context, status int, name string, data any) error {
	r := c.Request()
	who, told := visitor.Of(c), noticeOf(c)
	var page bytes.Buffer
	all := screen{Who: who, Cart: cart.Of(c).Units(), Notice: told, Here: r.URL.RequestURI(), Path: r.URL.Path, Links: s.Links, Lab: s.Laboratory, Data: data}
	if name != "signin.html" {
		all.Others = s.besides(who)
	}
	err := s.templates[name].Execute(&page, all)
	if err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	if who != nil || told != nil { // the back button must not show pages of a person who has signed out, nor old notices
		h.Set("Cache-Control", "no-store")
	}
	return c.HTMLBlob(status, page.Bytes())
}

// getStatic serves a static file. While replicas of two versions run, a browser may ask this one for a file of the other
// version. It then gets the file of this version, which it must not keep.
func (s *Site) getStatic(c echo.Context) error {
	name := c.Param("file")
	if _, err := fs.Stat(static.Files, name); err != nil {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if c.QueryParam("v") == s.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(c.Response(), c.Request(), static.Files, name)
	return nil
}
