package e2e

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
)

var viewers = flag.Bool("viewers", false, "measure what the viewers of one order's messages cost")

const viewed = 10 * time.Second // for each measurement

// The page of an order's messages is loaded again each second while the order is under way. The test logs how much processor time
// that takes, for docs/architecture.md: go test . -run ViewersOfAnOrder -viewers -v
func TestWhatTheViewersOfAnOrderCost(t *testing.T) {
	if !*viewers {
		t.Skip("no -viewers")
	}
	s := start(t, system.Each(1), settings)
	c := stories.New(t, world(s))
	sku := c.Product(1000, 0, 0)
	for _, p := range s.Named("shipping") { // so that the order stays under way
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	id := c.Place(stories.Wish{SKU: sku})
	c.Reach(id, "paid")
	web := s.Program("bff-web", 1)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	answer, err := browser.PostForm(web.URL+"/sign-in", url.Values{"who": {"alice"}, "next": {"/"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // only its cookie is needed
	for _, rate := range []int{0, 5} {
		for _, n := range []int{0, 1, 100} {
			ctx, cancel := context.WithTimeout(t.Context(), viewed)
			var working sync.WaitGroup
			for i := range n {
				working.Go(func() {
					view(ctx, t, browser, web.URL+"/orders/"+id+"/messages", time.Duration(i)*time.Second/time.Duration(n))
				})
			}
			if rate > 0 {
				working.Go(func() {
					for tick := time.NewTicker(time.Second / time.Duration(rate)); ctx.Err() == nil; <-tick.C {
						c.Place(stories.Wish{SKU: sku})
					}
				})
			}
			before := []time.Duration{processor(t, web.Pid()), processor(t, s.Program("orders", 1).Pid())}
			working.Wait()
			cancel()
			if n+rate == 0 {
				time.Sleep(viewed)
			}
			after := []time.Duration{processor(t, web.Pid()), processor(t, s.Program("orders", 1).Pid())}
			t.Logf("%d orders a second, %d viewers: bff-web %.0f ms a second, orders %.0f ms", rate, n,
				float64((after[0]-before[0]).Milliseconds())/viewed.Seconds(), float64((after[1]-before[1]).Milliseconds())/viewed.Seconds())
		}
	}
}

// view loads a page each second until ctx ends.
func view(ctx context.Context, t *testing.T, browser *http.Client, address string, first time.Duration) {
	for pause := first; ; pause = time.Second {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, address, nil)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := browser.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		page, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close() // it was read
		if err != nil || !strings.Contains(string(page), "Behind order") {
			t.Errorf("%s is not the page: %v", answer.Status, err)
			return
		}
	}
}

// processor returns the processor time that a process has used. Linux counts it in ticks of 10 ms.
func processor(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var sum int
	for _, field := range fields[11:13] { // utime and stime
		ticks, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		sum += ticks
	}
	return time.Duration(sum) * 10 * time.Millisecond
}
