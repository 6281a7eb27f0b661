package main

import (
	"bytes"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// target is an upstream for a route, and how requests are sent to it.
type target struct {
	upstream
	keyed bool // it honours Idempotency-Key, so that a POST with a key may be repeated
	pages bool // it serves browsers: it gets cookies, and may answer errors with HTML
}

// forward passes a request on, and its answer back. If there is no answer, the client gets a problem.
func (g *gateway) forward(to target) echo.HandlerFunc {
	hangUps := slog.NewLogLogger(g.log.Handler(), slog.LevelDebug) // mostly clients that hang up
	return func(c echo.Context) error {
		r := c.Request()
		body, err := web.Body(c)
		if err != nil {
			return err
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if !to.keyed {
			r = client.Once(r)
		}
		if key := to.session(r); key != "" {
			r = client.Near(r, key)
		}
		var failed error
		proxy := httputil.ReverseProxy{
			Rewrite:        func(p *httputil.ProxyRequest) { g.request(to, p) },
			Transport:      to,
			ModifyResponse: func(answer *http.Response) error { return g.answer(to, c, answer) },
			ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
			ErrorLog:       hangUps,
			BufferPool:     &g.buffers,
		}
		serve := func() error {
			w := zip(c.Response(), r)
			proxy.ServeHTTP(w, r)
			w.close()
			return failed
		}
		if web.IsStream(c) {
			proxy.BufferPool = streamBuffers{}
			return g.bound(c, serve)
		}
		return serve()
	}
}

// session returns what tells the sessions of the pages apart: bff-web's cookie. A session stays with one replica, since each
// replica has seen other messages (docs/adr/0044). Empty: there is no session.
func (to target) session(r *http.Request) string {
	if !to.pages {
		return ""
	}
	for _, cookie := range r.Cookies() {
		if strings.Contains(cookie.Name, "orderflow_session") { // its name also has a port, and a prefix if it is secure
			return cookie.Value
		}
	}
	return ""
}

// request sets what an upstream sees of a request. ReverseProxy has already removed Forwarded, X-Forwarded-* and every header
// that Connection names. Headers that must arrive are therefore set here, from the original request. The client adds the trace.
func (g *gateway) request(to target, p *httputil.ProxyRequest) {
	if p.In.Method == http.MethodHead {
		p.Out.Method = http.MethodGet // the server drops the body
	}
	p.Out.URL.RawQuery = p.In.URL.RawQuery // unchanged: the upstream refuses queries that it cannot read
	h := p.Out.Header
	for header := range h { // only a proxy may set them, not a client
		if strings.HasPrefix(header, "X-") {
			h.Del(header)
		}
	}
	for _, header := range []string{"Connection", "Upgrade", "Te", "Expect", "Authorization", "Accept-Encoding", "Traceparent", "Tracestate", "Baggage"} {
		h.Del(header)
	}
	plainTags(p.In, h)
	if identity.From(p.In.Context()).ID != "" { // the token has been verified
		h["Authorization"] = p.In.Header["Authorization"][:1]
	}
	if !to.pages {
		h.Del("Cookie")
	}
	p.SetXForwarded()
	h.Set("X-Forwarded-For", g.proxies.ClientIP(p.In))
	h.Set("X-Forwarded-Host", g.proxies.Host(p.In))
	if g.proxies.Secure(p.In) {
		h.Set("X-Forwarded-Proto", "https")
	}
	h.Set(echo.HeaderXRequestID, p.In.Header.Get(echo.HeaderXRequestID)) // checked or made by pkg/web
}

// answer passes an answer on. A stream gets no write timeout as a whole.
func (g *gateway) answer(to target, c echo.Context, answer *http.Response) error {
	if mediaOf(answer) == web.StreamType {
		if c.Request().Method == http.MethodHead { // the client only wants the header
			_ = answer.Body.Close()
			answer.Body = http.NoBody
			return to.reveal(answer)
		}
		response := http.NewResponseController(c.Response())
		answer.Body = stream{answer.Body, c.Request().Context(), response, g.streamTimeout}
		if err := response.SetWriteDeadline(time.Time{}); err != nil {
			return err
		}
	}
	if to.pages && answer.StatusCode >= http.StatusBadRequest && mediaOf(answer) == web.ProblemType && web.WantsPage(c.Request()) {
		_ = answer.Body.Close()
		return echo.NewHTTPError(answer.StatusCode) // becomes our page with the same status
	}
	return to.reveal(answer)
}

func mediaOf(answer *http.Response) string {
	media, _, _ := mime.ParseMediaType(answer.Header.Get(echo.HeaderContentType)) // empty after an error
	return media
}

// reveal removes what the client must not see of an answer. An error that is no problem document comes from a proxy in between,
// such as a mesh's; it becomes our problem, with a status that still says whether to try again.
func (to target) reveal(answer *http.Response) error {
	for _, header := range []string{echo.HeaderXRequestID, "Server", "X-Powered-By"} {
		answer.Header.Del(header)
	}
	if to.pages || answer.StatusCode < http.StatusBadRequest || mediaOf(answer) == web.ProblemType {
		return nil
	}
	_ = answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusServiceUnavailable:
		return fault.New(fault.Unavailable, "a part of the system is away")
	case http.StatusGatewayTimeout:
		return fault.New(fault.Timeout, "a part of the system did not answer in time")
	}
	if answer.StatusCode >= http.StatusInternalServerError {
		return fault.New(fault.BadGateway, "a part of the system has failed")
	}
	return echo.NewHTTPError(answer.StatusCode) // becomes a problem with the same status
}
