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

// upstream is where a request goes, and what is special about it there.
type upstream struct {
	client *client.Client
	keyed  bool // honours the Idempotency-Key, so that a POST with one may be sent again
	pages  bool // answers browsers: gets their cookies, and its errors may be HTML
}

// forward passes a request on and its answer back. An error without an answer becomes a problem, like all of ours.
func (g *gateway) forward(to upstream) echo.HandlerFunc {
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
		var failed error
		proxy := httputil.ReverseProxy{
			Rewrite:        to.request,
			Transport:      to.client,
			ModifyResponse: func(answer *http.Response) error { return to.answer(c, answer) },
			ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
			ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelDebug), // clients that hang up, mostly
		}
		proxy.ServeHTTP(c.Response(), r)
		return failed
	}
}

// request decides what a program behind the gateway gets to see. By now ReverseProxy has removed Forwarded, X-Forwarded-*,
// and every header that the client has named in Connection; what must arrive is therefore set here, from the original.
func (to upstream) request(p *httputil.ProxyRequest) {
	if p.In.Method == http.MethodHead {
		p.Out.Method = http.MethodGet // the server drops the body
	}
	h := p.Out.Header
	for header := range h { // they are how a proxy speaks to the program behind it: nobody outside may
		if strings.HasPrefix(header, "X-") {
			h.Del(header)
		}
	}
	for _, header := range []string{"Connection", "Upgrade", "Te", "Expect", "Authorization"} {
		h.Del(header)
	}
	if identity.From(p.In.Context()).ID != "" { // the token has been verified
		h["Authorization"] = p.In.Header["Authorization"][:1]
	}
	if !to.pages {
		h.Del("Cookie")
	}
	p.SetXForwarded()
	h.Set(echo.HeaderXRequestID, p.In.Header.Get(echo.HeaderXRequestID)) // ours: see pkg/web
}

// answer decides what of an answer the client gets to see.
func (to upstream) answer(c echo.Context, answer *http.Response) error {
	h := answer.Header
	for _, header := range []string{echo.HeaderXRequestID, "Server", "X-Powered-By"} {
		h.Del(header)
	}
	media, _, _ := mime.ParseMediaType(h.Get(echo.HeaderContentType)) // an error leaves it empty
	if media == "text/event-stream" {
		return http.NewResponseController(c.Response()).SetWriteDeadline(time.Time{})
	}
	if to.pages || answer.StatusCode < http.StatusBadRequest || media == web.ProblemType {
		return nil
	}
	_ = answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return fault.New(fault.BadGateway, "a part of the system has failed")
	}
	return echo.NewHTTPError(answer.StatusCode) // becomes a problem with the same status
}
