package main

import (
	"crypto/sha256"
	_ "embed" // page.html
	"encoding/base64"
	"fmt"
	"html/template"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// pagePolicy allows only the page's own style: the page must not need bff-web, which may be down.
var pagePolicy = func() string {
	hash := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

const (
	againLeast  = 10 // seconds before a page that could not be loaded is loaded again
	againSpread = 10 // random seconds in addition, so that clients do not come back all at once
)

// page shows a person an error of the gateway. After a temporary error, the browser loads the page again by itself, unless that
// could do something twice.
func (g *gateway) page(c echo.Context, p web.Problem) error {
	r, h := c.Request(), c.Response().Header()
	view := struct {
		web.Problem
		Style template.CSS
		Text  string
		After string // seconds; "": unknown
		Again int    // seconds; 0: the browser does not try again by itself
		Here  string // what to load again; "": nothing, since it was a form
	}{Problem: p, Style: template.CSS(pageStyle), Text: sentence(p.Detail)} //nolint:gosec // G203: it is ours
	inShop := !strings.HasPrefix(r.URL.Path, "/api")
	page := inShop && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	if p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests {
		view.After = h.Get("Retry-After")
		if page {
			wait, _ := strconv.Atoi(view.After)
			view.Here = "/" + strings.TrimLeft(r.URL.RequestURI(), "/") // one leading slash: never another host
			view.Again = max(againLeast, wait) + rand.N(againSpread)
		}
	}
	switch {
	case inShop && p.Status == http.StatusNotFound:
		view.Title, view.Text = "There is nothing here", "The page may have moved, or the address has a mistake in it."
	case inShop && p.Status >= http.StatusInternalServerError:
		view.Title, view.Text = "We will be right back", "A part of the shop cannot be reached at the moment. Orders that were placed are safe and go on."
		if !page {
			view.Text += " What you have just asked for may or may not have been done: please go back, have a look, and try again."
		}
	}
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	c.Response().WriteHeader(p.Status)
	if err := pageTemplate.Execute(c.Response(), view); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
