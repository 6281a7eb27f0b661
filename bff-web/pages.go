package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

//go:embed templates/*.html templates/parts/*.html static/*
var files embed.FS

// contentPolicy allows a page only what its own origin serves, and nothing inline.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// pages are the templates, each within the layout, and the static files.
type pages struct {
	templates  map[string]*template.Template
	people     []person // who can sign in; none without the demo identity
	links      []link   // in the footer
	laboratory bool     // there is one, so pages lead to it
	version    string   // of the static files; it is part of their URLs, so that browsers may keep them for ever
}

// screen is the data of a template: what all pages show, and Data for this page.
type screen struct {
	Who    *session // nil: not signed in
	Cart   int      // units in the cart
	Notice *notice
	Here   string // path and query, to come back to
	Path   string
	Others []person // whom the visitor can switch to; none on the page that asks who the visitor is
	Links  []link
	Lab    bool // there is a laboratory
	Data   any
}

// link is an address with a name.
type link struct{ Name, Address string }

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

func parsePages() (*pages, error) {
	version, err := hashOf("static")
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	p := &pages{templates: map[string]*template.Template{}, version: version}
	functions := template.FuncMap{
		"static": func(file string) string { return "/static/" + file + "?v=" + version },
		"money":  money, "label": label, "when": usually, "exactly": exactly, "short": short, "confirm": newConfirm, "as": newAs,
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	for _, name := range names {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts/*.html", name)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		p.templates[path.Base(name)] = t
	}
	return p, nil
}

func hashOf(folder string) (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(files, folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		hash.Write(content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil)[:6]), err
}

// render answers with a page. The page is complete before its first byte is sent, so that an error in a template gives a proper
// error page.
func (p *pages) render(c echo.Context, status int, name string, data any) error {
	r := c.Request()
	who, told := visitor(c), noticeOf(c)
	var page bytes.Buffer
	all := screen{Who: who, Cart: cartOf(c).units(), Notice: told, Here: r.URL.RequestURI(), Path: r.URL.Path, Links: p.links, Lab: p.laboratory, Data: data}
	if name != "signin.html" {
		all.Others = p.besides(who)
	}
	err := p.templates[name].Execute(&page, all)
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
func (p *pages) getStatic(c echo.Context) error {
	name := "static/" + c.Param("file")
	if _, err := fs.Stat(files, name); err != nil {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if c.QueryParam("v") == p.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(c.Response(), c.Request(), files, name)
	return nil
}
