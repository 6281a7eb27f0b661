package main

import (
	"net/http"
	"testing"
)

func TestHEADOnAStreamEndsAtOnceAndEveryPageHasOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ordersWith("placed")
	b := f.as("olga")
	b.headers["Authorization"] = f.bearer("orders")
	b.headers["Accept"] = "*/*" // a client need not name the media type of a stream
	for _, path := range []string{"/orders/o-1/live", "/api/orders/o-1/tracking", "/backstage/live"} {
		answer, body := b.send(http.MethodHead, path, nil)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" || body != "" {
			t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
		}
		b.headers["Accept"] = "application/json"
		if answer, _ := b.send(http.MethodGet, path, nil); answer.StatusCode != http.StatusNotAcceptable {
			t.Errorf("%s as JSON: %s", path, answer.Status)
		}
		b.headers["Accept"] = "text/event-stream"
	}
	until(t, "no stream is open", func() bool { return f.site.streams.count() == 0 })
	b.headers["Accept"] = "text/html"
	for _, path := range []string{"/", "/cart", "/sign-in", "/orders", "/operations/stock", "/backstage", "/static/app.css"} {
		get, page := b.send(http.MethodGet, path, nil)
		head, none := b.send(http.MethodHead, path, nil)
		if head.StatusCode != get.StatusCode || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") || page == "" || none != "" {
			t.Errorf("%s: %s %v, GET has %s", path, head.Status, head.Header, get.Status)
		}
	}
}
