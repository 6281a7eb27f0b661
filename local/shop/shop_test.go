package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// script answers the requests of a client in turn, so that no network keeps time from passing in a bubble. It gives tokens, too.
type script struct {
	t       *testing.T
	answers []http.HandlerFunc
	got     []*http.Request
	tokens  int
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.URL.Path == "/oauth/token" {
		s.tokens++
		fmt.Fprintf(w, `{"access_token":"token %d","expires_in":3600}`, s.tokens)
		return w.Result(), nil
	}
	if len(s.got) == len(s.answers) {
		s.t.Errorf("the client asks too often: %s %s", r.Method, r.URL)
		return nil, context.Canceled
	}
	s.got = append(s.got, r)
	defer func() { _ = recover() }() // lost
	s.answers[len(s.got)-1](w, r)
	a := w.Result()
	a.Body = &body{Reader: a.Body, ctx: r.Context(), hangs: w.Header().Get("Test") == "hangs", breaks: w.Header().Get("Test") == "breaks"}
	return a, nil
}

// body is a response's body that may have another end.
type body struct {
	io.Reader
	ctx           context.Context
	hangs, breaks bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && b.breaks {
		return n, io.ErrUnexpectedEOF
	}
	if err != nil && b.hangs {
		<-b.ctx.Done()
		return n, b.ctx.Err()
	}
	return n, err
}

func (b *body) Close() error { return nil }

func play(t *testing.T, answers ...http.HandlerFunc) (*Client, *script) {
	s := &script{t: t, answers: answers}
	t.Cleanup(func() {
		if len(s.got) != len(answers) {
			t.Errorf("the client has asked %d times, and should ask %d times", len(s.got), len(answers))
		}
	})
	return &Client{Gateway: "http://shop", ID: "alice", Secret: "demo", HTTP: &http.Client{Transport: s}}, s
}

func says(status int, text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func lost(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestAnOrderIsSentAgainWithItsKeyUntilTheShopHasDecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, says(503, "", "Retry-After", "7"), says(202, `{"id":`, "Test", "breaks"), says(502, "no page of ours"), says(202, `{"id":"7","status":"placed"}`))
		began := time.Now()
		placed, err := c.Place(t.Context(), "k", Order{})
		if err != nil || placed.ID != "7" {
			t.Errorf("placed %v, %v", placed, err)
		}
		for _, r := range s.got {
			if r.Header.Get("Idempotency-Key") != "k" || r.Header.Get("Authorization") != "Bearer token 1" {
				t.Errorf("sent with %v", r.Header)
			}
		}
		if took := time.Since(began); took < 7*time.Second || took > 15*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestWhatIsFinalIsAskedOnce(t *testing.T) {
	t.Parallel()
	const wrong = `{"title":"Unprocessable Entity","detail":"wrong","errors":[{"field":"lines[0].sku","message":"is unknown"}]}`
	c, _ := play(t, says(422, wrong))
	_, err := c.Place(t.Context(), "k", Order{})
	p, refused := errors.AsType[*Problem](err)
	if !refused || p.Status != 422 || p.Errors[0].Field != "lines[0].sku" || !strings.HasSuffix(err.Error(), "422 Unprocessable Entity: wrong; lines[0].sku is unknown") {
		t.Errorf("refused with %v", err)
	}
	c, _ = play(t, says(503, "later"))
	if err := c.Call(t.Context(), "POST", "/api/shipments/1/settlement", nil, nil); err == nil {
		t.Error("a POST that nobody can recognise was sent again")
	}
	c, _ = play(t, says(503, "later"))
	c.Again = Once
	if _, err := c.Track(t.Context(), "1"); err == nil {
		t.Error("a client that asks once has asked again")
	}
}

func TestAClientDoesNotAskForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, slices.Repeat([]http.HandlerFunc{says(503, "")}, 10)...)
		if _, err := c.Track(t.Context(), "1"); err == nil {
			t.Error("nothing was tracked")
		}
	})
}

func TestATokenIsSharedAndRenewedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t)
		for _, want := range []string{"token 1", "token 2"} {
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if got, err := c.Token(t.Context()); err != nil || got != want {
						t.Errorf("%q, %v, want %q", got, err, want)
					}
				})
			}
			all.Wait()
			time.Sleep(31 * time.Minute)
		}
		if s.tokens != 2 {
			t.Errorf("%d tokens", s.tokens)
		}
	})
}

func TestAnOrderIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	entry := func(seq int, status string) string {
		return fmt.Sprintf("id: %d\ndata: {\"seq\":%[1]d,\"status\":%q}\n\n", seq, status)
	}
	const end, beat, retry = "event: end\ndata: {}\n\n", "event: beat\ndata: 10\n\n", "retry: 3000\n\n"
	timeline := func(status string, n int) string {
		var entries []string
		for i := range n {
			entries = append(entries, fmt.Sprintf(`{"seq":%d,"status":"paid"}`, i+1))
		}
		return fmt.Sprintf(`{"status":%q,"timeline":[%s]}`, status, strings.Join(entries, ","))
	}
	full := says(429, "", "Retry-After", "1")
	for _, test := range []struct {
		name    string
		answers []http.HandlerFunc
		headers string // that say how far the client is, of each request
		seen    string
		failed  int // the status of the error
	}{
		{
			"by one stream",
			[]http.HandlerFunc{says(200, retry+beat+entry(1, "placed")+entry(2, "delivered")+end)},
			"-", "1 2", 0,
		},
		{
			"by another one after the first was ended, broke, or fell silent",
			[]http.HandlerFunc{
				says(200, beat+entry(1, "placed")+retry), says(200, beat+entry(2, "paid"), "Test", "breaks"), lost,
				says(200, beat+entry(3, "shipped"), "Test", "hangs"), says(200, entry(4, "delivered")+end),
			},
			"- 1 2 2 3", "1 2 3 4", 0,
		},
		{"which had come while nobody listened", []http.HandlerFunc{says(200, entry(1, "cancelled")), says(204, "")}, "- 1", "1", 0},
		{
			"by questions while there is no stream",
			[]http.HandlerFunc{
				full, says(200, timeline("paid", 2), "ETag", `"2"`), full, says(304, ""),
				says(200, beat+entry(3, "paid")), full, says(200, timeline("cancelled", 4)),
			},
			`- "" 2 "2" 2 3 "2"`, "1 2 3 4", 0,
		},
		{
			"after a restore of an old backup",
			[]http.HandlerFunc{
				says(200, entry(1, "placed")+entry(2, "paid")), says(200, "event: reset\ndata: {}\n\n"+entry(1, "placed")),
				says(200, entry(2, "cancelled")+end),
			},
			"- 2 1", "1 2 1 2", 0,
		},
		{"unless it is another's", []http.HandlerFunc{says(404, `{"status":404}`)}, "-", "", 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, test.answers...)
				var seen, headers []string
				for e, err := range c.Follow(t.Context(), "1") {
					if p, refused := errors.AsType[*Problem](err); refused && p.Status == test.failed {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					seen = append(seen, fmt.Sprint(e.Seq))
				}
				for _, r := range s.got {
					h := r.Header.Get("Last-Event-ID") + r.Header.Get("If-None-Match")
					if h == "" {
						h = "-"
					}
					headers = append(headers, h)
				}
				if got := strings.Join(seen, " "); got != test.seen {
					t.Errorf("seen %q, want %q", got, test.seen)
				}
				if got := strings.Join(headers, " "); got != test.headers {
					t.Errorf("the client was at %s, want %s", got, test.headers)
				}
			})
		})
	}
}

func TestACallerThatNeedsNoMoreGetsNoMore(t *testing.T) {
	t.Parallel()
	c, _ := play(t, says(200, "data: {\"seq\":1}\n\ndata: {\"seq\":2}\n\n"))
	for e := range c.Follow(t.Context(), "1") {
		if e.Seq == 1 {
			break
		}
		t.Errorf("entry %d came", e.Seq)
	}
}

func TestAllPagesOfProductsAreRead(t *testing.T) {
	t.Parallel()
	c, s := play(t, says(200, `{"items":[{"sku":"A"},{"sku":"B"}],"next_cursor":"x y"}`), says(200, `{"items":[{"sku":"C"}]}`))
	all, err := c.Products(t.Context())
	if err != nil || len(all) != 3 || all[2].SKU != "C" || s.got[1].URL.Query().Get("cursor") != "x y" {
		t.Errorf("%v, %v", all, err)
	}
}

func TestAProductIsOrderableWhenOnlyTheImpossibleOneIsRefused(t *testing.T) {
	t.Parallel()
	refused := func(fields ...string) http.HandlerFunc {
		return says(422, `{"errors":[{"field":"`+strings.Join(fields, `"},{"field":"`)+`"}]}`)
	}
	for _, test := range []struct {
		answer http.HandlerFunc
		want   bool
	}{{refused("lines[0].sku", "lines[1].sku"), false}, {refused("lines[1].sku"), true}} {
		c, _ := play(t, test.answer)
		if got, err := c.Orderable(t.Context(), "A"); got != test.want || err != nil {
			t.Errorf("%t, %v, want %t", got, err, test.want)
		}
	}
}
