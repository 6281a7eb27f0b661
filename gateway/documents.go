package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"example.com/orderflow/api"
	"example.com/orderflow/gateway/reference"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const documentType = "application/yaml" // RFC 9512

// documents are what the gateway serves itself: the contracts, and the pages that explain them. They are the same for all clients.
// A browser may keep them, and asks each time whether they have changed.
func (g *gateway) documents() (map[string]*copied, error) {
	served := func(path string) bool {
		return slices.ContainsFunc(g.table, func(r resource) bool { return r.pattern == path && r.methods != nil })
	}
	files, err := reference.Files(api.OpenAPI, g.people(), served)
	if err != nil {
		return nil, err
	}
	files = append(files, reference.File{Path: "/openapi.yaml", Media: documentType, Body: api.OpenAPI},
		reference.File{Path: "/asyncapi.yaml", Media: documentType, Body: api.AsyncAPI})
	all := map[string]*copied{}
	for _, f := range files {
		hash := sha256.Sum256(f.Body)
		header := http.Header{
			echo.HeaderContentType: {f.Media},
			"Cache-Control":        {"public, no-cache"},
			"Etag":                 {`"` + hex.EncodeToString(hash[:8]) + `"`},
		}
		if strings.HasPrefix(f.Media, echo.MIMETextHTML) {
			header.Set("Content-Security-Policy", reference.Policy)
		}
		all[f.Path] = &copied{status: http.StatusOK, header: header, body: f.Body, zipped: sync.OnceValue(func() []byte { return zipped(f.Body) })}
	}
	return all, nil
}

// people are the demo's clients, shoppers first; none without the demo identity.
func (g *gateway) people() (people []reference.Person) {
	if g.demo == nil {
		return nil
	}
	for _, name := range []string{"alice", "bob", "olga", "carl"} {
		people = append(people, reference.Person{ID: name, Scopes: demoClients[name]})
	}
	return people
}

func (g *gateway) getDocument(c echo.Context) error {
	found, there := g.files[c.Request().URL.Path]
	if !there {
		return echo.ErrNotFound
	}
	serveStored(c, found)
	return nil
}

// entrance serves the shop to browsers, and a short text that starts the tour to programs such as curl.
func (g *gateway) entrance(shop target) echo.HandlerFunc {
	forward := g.forward(shop)
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		h.Add(echo.HeaderVary, echo.HeaderAccept)
		if q, named := web.Quality(r.Header, echo.HeaderAccept, echo.MIMETextHTML, "text/*"); named && q > 0 {
			return forward(c)
		}
		h.Set("Cache-Control", "no-store") // it has the address that the client has used
		return c.String(http.StatusOK, reference.Tour(g.origin(r), g.people()))
	}
}

var hostForm = regexp.MustCompile(`^[A-Za-z0-9.\-]+(:[0-9]+)?$|^\[[0-9A-Fa-f:.]+\](:[0-9]+)?$`)

// origin is the address under which a client knows the gateway. A host that would mean something else in a shell is not repeated.
func (g *gateway) origin(r *http.Request) string {
	scheme, host := "http", g.proxies.Host(r)
	if g.proxies.Secure(r) {
		scheme = "https"
	}
	if !hostForm.MatchString(host) {
		host = "localhost:8080"
	}
	return scheme + "://" + host
}
