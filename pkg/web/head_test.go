package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

func TestEveryPathWithGETHasHEAD(t *testing.T) {
	t.Parallel()
	s := web.New(web.Config{Log: quiet(), Metrics: http.NotFoundHandler()})
	s.GET("/things/:id", func(c echo.Context) error { return c.String(http.StatusOK, "thing "+c.Param("id")) },
		func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error { c.Response().Header().Set("Guarded", "yes"); return next(c) }
		})
	s.POST("/things", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	public := httptest.NewServer(s.Echo)
	t.Cleanup(public.Close)
	for path, status := range map[string]int{"/things/7": 200, "/livez": 200, "/readyz": 200, "/metrics": 404, "/things": 405, "/nowhere": 404} {
		head, err := http.Head(public.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(head.Body)
		head.Body.Close()
		get, err := http.Get(public.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		get.Body.Close()
		if head.StatusCode != status || len(body) > 0 || head.StatusCode != get.StatusCode || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") || head.Header.Get("Guarded") != get.Header.Get("Guarded") {
			t.Errorf("%s: %s %v, GET has %s %v", path, head.Status, head.Header, get.Status, get.Header)
		}
	}
}

func TestAStreamHasNoDeadlineWhateverWasAskedFor(t *testing.T) {
	t.Parallel()
	s := web.New(web.Config{Log: quiet()})
	s.GET("/live", func(c echo.Context) error {
		_, limited := c.Request().Context().Deadline()
		return c.String(http.StatusOK, fmt.Sprint(limited, web.IsStream(c)))
	}, web.Stream)
	s.GET("/page", func(c echo.Context) error {
		_, limited := c.Request().Context().Deadline()
		return c.String(http.StatusOK, fmt.Sprint(limited, web.IsStream(c)))
	})
	for _, test := range []struct {
		path, accept string
		status       int
		body         string
	}{
		{"/live", "", 200, "false true"},
		{"/live", "*/*", 200, "false true"},
		{"/live", "text/*", 200, "false true"},
		{"/live", "text/event-stream", 200, "false true"},
		{"/live", "text/html, */*;q=0.8", 200, "false true"},
		{"/live", "application/json", 406, ""},
		{"/live", "text/event-stream;q=0, */*", 406, ""},
		{"/page", "*/*", 200, "true false"},
		{"/page", "text/event-stream", 200, "false true"},
		{"/page", "application/json, Text/Event-Stream", 200, "false true"},
		{"/page", "application/json, text/event-stream;q=0.5", 200, "true false"},
		{"/page", "text/event-stream;q=0, application/json", 200, "true false"},
	} {
		headers := []string{"Accept", test.accept}
		if test.accept == "" {
			headers = nil
		}
		w := call(t, s, "GET", test.path, "", headers...)
		if w.Code != test.status || test.body != "" && w.Body.String() != test.body {
			t.Errorf("%s with %q: %d %s", test.path, test.accept, w.Code, w.Body)
		}
	}
}

func TestTheWeightIsThatOfTheMostExactName(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]float64{
		"":                           0,
		"gzip":                       1,
		"GZIP;Q=0.5":                 0.5,
		"deflate, gzip ; q=0.25, br": 0.25,
		"*":                          1,
		"*;q=0.1, gzip;q=0":          0,
		"gzip;q=0, *":                0,
		"br, *;q=0":                  0,
		"gzip;q=2":                   0,
		"gzip;q=-1":                  0,
		"gzip;q=a":                   0,
		"gzip;q=NaN":                 0,
		"gzipped":                    0,
		";;;,gzip":                   1,
	} {
		if got, _ := web.Quality(http.Header{"Accept-Encoding": {header}}, "Accept-Encoding", "gzip", "*"); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

// localhost is two addresses: without both, another program at the second one could answer.
func TestLocalhostIsServedAtBothItsAddresses(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	_, port, _ := net.SplitHostPort(probe.Addr().String())
	probe.Close()
	s := web.New(web.Config{Addr: "localhost:" + port, Log: quiet()})
	go func() { _ = s.Run(t.Context()) }()
	for _, host := range []string{"127.0.0.1", "::1"} {
		until(t, host+" answers", func() bool {
			conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if err != nil {
				return false
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.WriteString(conn, "GET /livez HTTP/1.0\r\n\r\n")
			line, _ := bufio.NewReader(conn).ReadString('\n')
			return strings.Contains(line, "200")
		})
	}
	taken := web.New(web.Config{Addr: "localhost:" + port, Log: quiet()})
	if err := taken.Run(t.Context()); err == nil {
		t.Error("two programs are at the same address")
	}
}
