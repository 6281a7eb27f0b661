package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/web"
)

// exchange sends a request as it is. It returns the answer, and all bytes until the connection ends.
func (f *fixture) exchange(request string) (*http.Response, string) {
	f.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		f.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		f.Fatalf("%q: %v", request, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		f.Fatalf("%q: %v", request, err)
	}
	return answer, string(body)
}

func TestHEADOnAStreamEndsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	left := make(chan struct{}, 10)
	f.behind["bff"].answers(func(w http.ResponseWriter, r *http.Request) {
		endless(w, r)
		left <- struct{}{}
	})
	token := f.bearer("alice", "orders")
	for _, path := range []string{"/orders/1/live", "/api/orders/1/tracking"} {
		// The answer to a second request on the same connection shows that the first has ended.
		answer, _ := f.exchange("HEAD " + path + " HTTP/1.1\r\nHost: shop\r\nAccept: text/event-stream\r\nAuthorization: " + token + "\r\n\r\n" +
			"GET /livez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
		if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" || answer.ContentLength > 0 {
			t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
		}
		select {
		case <-left:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: bff-web still writes", path)
		}
	}
	f.gateway.streams.mu.Lock()
	defer f.gateway.streams.mu.Unlock()
	if f.gateway.streams.all != 0 {
		t.Errorf("%d streams are counted", f.gateway.streams.all)
	}
}

// Scripts ask for a page's stream by its media type; a person with curl does not.
func TestAStreamIsRefusedOnlyToClientsThatExcludeIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.behind["bff"].answers(says(200, web.StreamType, "data: 1\n\n"))
	for accept, status := range map[string]int{"": 200, "*/*": 200, "text/event-stream": 200, chromium: 200, "application/json": 406, "text/html": 406, "text/event-stream;q=0": 406} {
		headers := []string{"Accept", accept}
		if accept == "" {
			headers = nil
		}
		a := f.call("GET", "/orders/1/live", "", headers...)
		if a.StatusCode != status || status == 200 && (a.body != "data: 1\n\n" || a.Header.Get("X-Accel-Buffering") != "no") {
			t.Errorf("%q: %s %q %v", accept, a.Status, a.body, a.Header)
		}
	}
}

func TestOldAndCarefulClientsAreServed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long := strings.Repeat("x", 100_000)
	f.behind["bff"].answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/live") {
			says(200, web.StreamType, "data: 1\n\n")(w, r)
			return
		}
		says(200, "text/plain", long)(w, r)
	})
	token := f.bearer("alice", "orders")
	// HTTP/1.0 has no chunks, and needs no Host.
	for _, request := range []string{"GET /cart HTTP/1.0\r\n\r\n", "GET /cart HTTP/1.0\r\nHost: shop\r\n\r\n", "GET /cart HTTP/1.1\r\nHost: shop\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n"} {
		if answer, body := f.exchange(request); answer.StatusCode != 200 || body != long || answer.ProtoAtLeast(1, 1) && !strings.Contains(request, "1.1") && len(answer.TransferEncoding) > 0 {
			t.Errorf("%q: %s, %d bytes, %v", request, answer.Status, len(body), answer.TransferEncoding)
		}
	}
	if answer, body := f.exchange("GET /orders/1/live HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n"); answer.StatusCode != 200 || body != "data: 1\n\n" {
		t.Errorf("a stream over HTTP/1.0: %s %q", answer.Status, body)
	}
	// A client that waits for 100 Continue gets its answer before it sends the body: an error, if the body would be useless.
	for request, want := range map[string]int{
		"Authorization: " + token + "\r\nContent-Length: 2\r\n":       100,
		"Content-Length: 2\r\n":                                       401,
		"Authorization: " + token + "\r\nContent-Length: 5000000\r\n": 413,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = fmt.Fprintf(conn, "POST /api/orders HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\n%s\r\n", request)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if !strings.Contains(line, fmt.Sprint(want)) {
			t.Errorf("%q: %q, not %d", request, line, want)
		}
		conn.Close()
	}
	if answer, _ := f.exchange("OPTIONS * HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"); answer.StatusCode != 200 {
		t.Errorf("OPTIONS *: %s", answer.Status)
	}
	if answer, _ := f.exchange("TRACE / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"); answer.StatusCode != 405 {
		t.Errorf("TRACE: %s", answer.Status)
	}
}
