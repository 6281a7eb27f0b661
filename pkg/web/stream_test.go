package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

func TestAStreamHasNoDeadlineAndEndsInOrderWhenTheProgramStops(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	s := web.New(web.Config{Addr: addr, Log: quiet()})
	s.GET("/events", func(c echo.Context) error {
		ctx := c.Request().Context()
		if _, limited := ctx.Deadline(); limited {
			t.Error("the stream has a deadline")
		}
		c.Response().WriteHeader(http.StatusOK)
		_, _ = io.WriteString(c.Response(), "hello\n")
		c.Response().Flush()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), web.ErrStopping) {
			t.Errorf("the stream ends because of %v", context.Cause(ctx))
		}
		_, err := io.WriteString(c.Response(), "bye\n")
		return err
	})
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	var answer *http.Response
	until(t, "it serves", func() bool {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/events", nil)
		r.Header.Set("Accept", "text/event-stream, */*;q=0.1")
		answer, err = http.DefaultClient.Do(r)
		return err == nil
	})
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Scan()
	begun := time.Now()
	stop()
	if !lines.Scan() || lines.Text() != "bye" || lines.Scan() || lines.Err() != nil {
		t.Errorf("at the end: %q, error %v", lines.Text(), lines.Err())
	}
	if err := <-stopped; err != nil || time.Since(begun) > 9*time.Second {
		t.Errorf("stopped after %s, error %v", time.Since(begun), err)
	}
}

func TestAClientThatIsSlowIsCutOff(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	s := web.New(web.Config{Addr: addr, Log: quiet(), Timeouts: web.Timeouts{Header: 200 * time.Millisecond, Read: 400 * time.Millisecond, Idle: 200 * time.Millisecond}})
	s.POST("/things", func(c echo.Context) error {
		if _, err := web.Body(c); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	})
	go func() { _ = s.Run(t.Context()) }()
	for name, request := range map[string]string{
		"says nothing":          "",
		"stops in the header":   "POST /things HTTP/1.1\r\nHost: x\r\n",
		"stops in the body":     "POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
		"keeps quiet afterward": "POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	} {
		var conn net.Conn
		until(t, "it serves", func() bool { conn, err = net.Dial("tcp", addr); return err == nil })
		_, _ = io.WriteString(conn, request)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("who %s is not cut off: %v", name, err)
		}
		conn.Close()
	}
}
