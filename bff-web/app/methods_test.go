package app_test

import (
	"net/http"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestHEADOnAStreamEndsAtOnceAndEveryPageHasOne(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.OrdersWith("placed")
	b := f.As("olga")
	b.Headers["Authorization"] = f.Bearer("orders")
	b.Headers["Accept"] = "*/*" // a client need not name the media type of a stream
	for _, path := range []string{"/orders/o-1/live", "/api/orders/o-1/tracking", "/backstage/live"} {
		answer, body := b.Send(http.MethodHead, path, nil)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" || body != "" {
			t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
		}
		b.Headers["Accept"] = "application/json"
		if answer, _ := b.Send(http.MethodGet, path, nil); answer.StatusCode != http.StatusNotAcceptable {
			t.Errorf("%s as JSON: %s", path, answer.Status)
		}
		b.Headers["Accept"] = "text/event-stream"
	}
	apptest.Until(t, "no stream is open", func() bool { return f.App.Streams.Count() == 0 })
	b.Headers["Accept"] = "text/html"
	for _, path := range []string{"/", "/cart", "/sign-in", "/orders", "/operations/stock", "/backstage", "/static/app.css"} {
		get, page := b.Send(http.MethodGet, path, nil)
		head, none := b.Send(http.MethodHead, path, nil)
		if head.StatusCode != get.StatusCode || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") || page == "" || none != "" {
			t.Errorf("%s: %s %v, GET has %s", path, head.Status, head.Header, get.Status)
		}
	}
}
