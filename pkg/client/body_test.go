package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/fallback"
)

func TestAStreamOutlivesTheTimeLimits(t *testing.T) {
	t.Parallel()
	next, left := make(chan string), make(chan struct{})
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case line := <-next:
				_, _ = fmt.Fprintln(w, line)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				close(left)
				return
			}
		}
	})
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, Timeout: time.Second, Total: 2 * time.Second})
	ctx, leave := context.WithCancel(t.Context())
	answer, err := c.Do(requestIn(ctx, "GET", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	time.Sleep(2100 * time.Millisecond) // longer than both
	for i := range 3 {
		next <- fmt.Sprint(i)
		if !lines.Scan() || lines.Text() != fmt.Sprint(i) {
			t.Fatalf("line %d is %q, error %v", i, lines.Text(), lines.Err())
		}
	}
	leave()
	if lines.Scan() {
		t.Error("the stream goes on without its caller")
	}
	<-left
}

func TestClosingAStreamEndsIt(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	})
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}})
	answer, err := c.Do(request(t, "GET", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	<-left
}

// The answers begin at about the time when the attempt's or the total timeout ends, so either may win. No answer that the
// caller is not given may stay open.
func TestAnAnswerThatLosesTheRaceAgainstATimeoutIsClosed(t *testing.T) {
	t.Parallel()
	var streaming atomic.Int32
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		streaming.Add(1)
		defer streaming.Add(-1)
		time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	var answered, late atomic.Int32
	var callers sync.WaitGroup
	for _, limits := range []Config{
		{Timeout: 5 * time.Millisecond, Total: time.Second},
		{Timeout: time.Second, Total: 5 * time.Millisecond},
	} {
		limits.Name, limits.URLs, limits.Retries = "upstream", URLs{n.URL}, -1
		for range 4 {
			c := New(limits)
			callers.Go(func() {
				for range 50 {
					answer, err := c.Do(request(t, "GET", "", ""))
					if err != nil {
						late.Add(1)
						c.replicas.known()[0].breaker.Close()
						continue
					}
					answered.Add(1)
					_ = answer.Body.Close()
				}
			})
		}
	}
	callers.Wait()
	if answered.Load() == 0 || late.Load() == 0 {
		t.Errorf("no race: %d answered, %d late", answered.Load(), late.Load())
	}
	until(t, "every stream ends", func() bool { return streaming.Load() == 0 })
}

// The same, but without a race: the policy takes the answer away after the attempt has had it.
func TestAnAnswerThatAPolicyTakesAwayIsClosed(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(left)
	})
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}})
	always := func(*http.Response, error) bool { return true }
	c.retrying = failsafe.With[*http.Response](fallback.NewBuilderWithError[*http.Response](context.DeadlineExceeded).HandleIf(always).Build())
	_, _, err := outcome(t, c, request(t, "GET", "", ""))
	wantKind(t, err, fault.Timeout)
	<-left
}

func TestARequestsBodyHasALimit(t *testing.T) {
	t.Parallel()
	n := serve(t, status(200))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}})
	_, _, err := outcome(t, c, request(t, "PUT", strings.Repeat("x", bodyMost+1), ""))
	wantKind(t, err, fault.TooLarge)
	if got, _, err := outcome(t, c, request(t, "PUT", strings.Repeat("x", bodyMost), "")); got != 200 {
		t.Errorf("status %d, error %v", got, err)
	}
	if n.requests() != 1 {
		t.Errorf("%d requests", n.requests())
	}
}

func TestARequestThatCannotBeReadIsNotSent(t *testing.T) {
	t.Parallel()
	n := serve(t, status(200))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}})
	r := request(t, "PUT", "x", "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{}))
	if _, _, err := outcome(t, c, r); err == nil || n.requests() != 0 {
		t.Errorf("%d requests, error %v", n.requests(), err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
