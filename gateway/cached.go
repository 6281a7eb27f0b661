package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// fetchWithin limits the time of a request for the cache, including the body of the answer.
const fetchWithin = 15 * time.Second

// Where an answer came from, for the metrics.
const (
	cacheHit         = "hit"         // from memory
	cacheStale       = "stale"       // from memory, although it is old, because the upstream has failed
	cacheRevalidated = "revalidated" // from the upstream, which was asked because the copy was old
	cacheMiss        = "miss"        // from the upstream: there was no copy
	cacheBypassed    = "bypassed"    // from the upstream: the answer may be for one caller only
)

// cached serves public answers, from memory if possible. The header Cache-Status (RFC 9211) says how an answer was made.
// Requests with a token or a query are only forwarded: their answers may be for one caller only, or there may be countless
// different ones.
func (g *gateway) cached(to target) echo.HandlerFunc {
	forward := g.forward(to)
	return func(c echo.Context) error {
		r := c.Request()
		if r.Header.Get(echo.HeaderAuthorization) != "" || r.URL.RawQuery != "" {
			c.Response().Header().Set("Cache-Status", "orderflow; fwd=bypass")
			g.cache.answers.Count(r.Context(), 1, cacheBypassed)
			return forward(c)
		}
		path := r.URL.EscapedPath()
		known := g.cache.get(path)
		if known != nil && known.ttl(g.cache.now()) > 0 && !strings.Contains(r.Header.Get("Cache-Control"), "no-cache") {
			return g.serveCopy(c, known, cacheHit, "hit")
		}
		id := r.Header.Get(echo.HeaderXRequestID)
		var mine *copied // the answer, if this request caused it
		answers := g.cache.ask(r.Context(), path, func(ctx context.Context, old *copied) (*copied, error) {
			got, err := g.fetch(ctx, to, path, id, old)
			mine = got
			return got, err
		})
		var slow <-chan time.Time
		if known != nil {
			slow = time.After(g.cache.Timeout)
		}
		select {
		case got := <-answers:
			return g.serveAnswer(c, forward, known, mine, got.Val, got.Err)
		case <-slow:
			return g.serveAnswer(c, forward, known, nil, nil, fault.New(fault.Timeout, "slow"))
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

// serveAnswer serves the answer of the upstream, or an earlier one if the upstream has failed.
func (g *gateway) serveAnswer(c echo.Context, forward echo.HandlerFunc, known, mine *copied, value any, err error) error {
	got, _ := value.(*copied)
	switch {
	case err != nil && known != nil && known.ttl(g.cache.now()) > -g.cache.StaleFor:
		return g.serveCopy(c, known, cacheStale, fmt.Sprintf("hit; detail=%s", fault.KindOf(err)))
	case err != nil:
		return err
	case mine == nil && got.storable():
		return g.serveCopy(c, got, cacheMiss, "fwd=miss; collapsed")
	case mine == nil: // the answer to another request, and not for all clients
		return forward(c)
	case !got.storable():
		return g.serveCopy(c, got, cacheMiss, "fwd=miss")
	case known != nil:
		return g.serveCopy(c, got, cacheRevalidated, fmt.Sprintf("fwd=stale; fwd-status=%d; stored", mine.status))
	}
	return g.serveCopy(c, got, cacheMiss, "fwd=uri-miss; stored")
}

// fetch asks an upstream on behalf of the cache. It sends nothing of the caller's request except its id, so that the answer
// cannot depend on the caller.
func (g *gateway) fetch(ctx context.Context, to target, path, id string, old *copied) (*copied, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set(echo.HeaderXRequestID, id)
	if old != nil && old.header.Get("Etag") != "" {
		r.Header.Set("If-None-Match", old.header.Get("Etag"))
	}
	answer, err := to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := to.reveal(answer); err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusInternalServerError { // the upstream's own problem
		_ = answer.Body.Close()
		return nil, fault.New(fault.Unavailable, "a part of the system cannot answer now")
	}
	got, err := read(answer, g.cache.now())
	if err == nil && len(got.body) > cachedMost {
		err = fault.New(fault.BadGateway, "a part of the system has answered too much")
	}
	return got, err
}

// serveCopy answers with a copy, or with 304 if the client has it already. outcome is what is counted, and how is what
// Cache-Status tells.
func (g *gateway) serveCopy(c echo.Context, a *copied, outcome, how string) error {
	g.cache.answers.Count(c.Request().Context(), 1, outcome)
	h, now := c.Response().Header(), g.cache.now()
	status := "orderflow; " + how
	if a.storable() {
		status += fmt.Sprintf("; ttl=%d", int(a.ttl(now).Seconds()))
		h.Set("Age", strconv.Itoa(int(a.age(now).Seconds())))
	}
	h.Set("Cache-Status", status)
	serveStored(c, a)
	return nil
}

// serveStored answers with a body that is in memory, compressed if the client accepts that, or with 304 if the client has it already.
func serveStored(c echo.Context, a *copied) {
	r, h := c.Request(), c.Response().Header()
	for name, values := range a.header {
		switch name {
		case echo.HeaderContentLength, "Connection", "Transfer-Encoding", echo.HeaderSetCookie, "Cache-Status":
		case echo.HeaderVary: // CORS may have set it already
			h[name] = append(h[name], values...)
		default:
			h[name] = values
		}
	}
	asked := http.Header{}
	plainTags(r, asked)
	if a.status == http.StatusOK && a.has(asked.Get("If-None-Match")) {
		zipHeader(r, http.StatusNotModified, h, 0)
		c.Response().WriteHeader(http.StatusNotModified)
		return
	}
	body := a.body
	if zipHeader(r, a.status, h, len(body)) {
		body = a.zipped()
	}
	h.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	c.Response().WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = c.Response().Write(body) // it fails only if the client has gone
	}
}

// changing wraps handlers that change a product: the copies of the product and of the list expire (RFC 9111, 4.4). Other
// replicas of the gateway see the change when their copies are no longer fresh.
func (g *gateway) changing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil && c.Response().Status < http.StatusBadRequest {
			product := strings.TrimSuffix(c.Request().URL.EscapedPath(), "/stock")
			g.cache.expire("/api/products", product, product+"/image")
		}
		return err
	}
}
