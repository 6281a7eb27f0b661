package main

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/pkg/telemetry"
	"github.com/labstack/echo/v4"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"
)

// cacheSettings limit what the gateway keeps of public answers, and for how long.
type cacheSettings struct {
	Bytes    uint64        `env:"BYTES" envDefault:"33554432"` // bytes of public answers that are kept: 32 MiB; 0: none
	StaleFor time.Duration `env:"STALE_FOR" envDefault:"1h"`   // how long an old answer may be sent when the upstream is down
	Timeout  time.Duration `env:"TIMEOUT" envDefault:"1s"`     // how long a slow upstream may take when there is an old answer
}

const cachedMost = 1 << 20 // bytes of the body of one answer

// cache keeps public answers (RFC 9111). Fresh answers are served from memory. Others are revalidated, and served stale if that
// fails.
//
// docs/adr/0022 says why the gateway has a cache of its own.
type cache struct {
	cacheSettings
	now     func() time.Time
	entries *otter.Cache[string, *copied] // by path
	flights singleflight.Group            // one request at a time for each path
	answers *telemetry.Counter            // by where they came from
}

// copied is an answer in memory. It is never changed.
type copied struct {
	status int
	header http.Header
	body   []byte
	zipped func() []byte // the body in gzip, compressed once
	from   time.Time     // when the answer was made or last validated at its source
	fresh  time.Duration
}

func newCache(s cacheSettings) *cache {
	answers := telemetry.NewCounter("gateway_cache_answers", "Answers about products, by where they came from.", "outcome")
	for _, outcome := range []string{cacheHit, cacheStale, cacheRevalidated, cacheMiss, cacheBypassed} {
		answers.Count(context.Background(), 0, outcome)
	}
	return &cache{cacheSettings: s, now: time.Now, answers: answers, entries: otter.Must(&otter.Options[string, *copied]{
		MaximumWeight: max(s.Bytes, 1), // 0 would be no limit
		Weigher: func(path string, a *copied) uint32 { // an estimate that includes the header and the body in gzip
			return uint32(len(path) + len(a.body) + len(a.body)/2 + 1<<10)
		},
	})}
}

func (k *cache) get(path string) *copied {
	found, _ := k.entries.GetIfPresent(path)
	return found
}

// expire makes the next request for each of the paths ask the upstream, because something there has changed. The old answer can
// still be served if that fails.
func (k *cache) expire(paths ...string) {
	for _, path := range paths {
		k.entries.ComputeIfPresent(path, func(a *copied) (*copied, otter.ComputeOp) {
			old := *a
			old.fresh = 0
			return &old, otter.WriteOp
		})
	}
}

// ask gets an answer from its source. Simultaneous callers share one request. It does not end when the caller that started it
// leaves.
func (k *cache) ask(ctx context.Context, path string, source func(context.Context, *copied) (*copied, error)) <-chan singleflight.Result {
	return k.flights.DoChan(path, func() (any, error) {
		known := k.get(path)
		got, err := source(context.WithoutCancel(ctx), known)
		if err != nil {
			return nil, err
		}
		if got.status == http.StatusNotModified && known != nil {
			got = known.validated(got)
		}
		if got.storable() {
			k.entries.Set(path, got)
		}
		return got, nil
	})
}

// read copies an answer into memory.
func read(answer *http.Response, now time.Time) (*copied, error) {
	defer func() { _ = answer.Body.Close() }() // no error matters any more: the body has been read
	body, err := io.ReadAll(io.LimitReader(answer.Body, cachedMost+1))
	if err != nil {
		return nil, err
	}
	a := &copied{status: answer.StatusCode, header: answer.Header.Clone(), body: body, zipped: sync.OnceValue(func() []byte { return zipped(body) })}
	a.from = now.Add(-time.Duration(seconds(a.header.Get("Age"))) * time.Second)
	a.header.Del("Age")
	a.fresh, _ = freshness(a.header)
	return a, nil
}

// validated returns the same answer as confirmed by a 304.
func (a *copied) validated(by *copied) *copied {
	now := *a
	now.header, now.from, now.fresh = a.header.Clone(), by.from, by.fresh
	for _, name := range []string{"Cache-Control", "Date", "Etag", "Expires", "Last-Modified"} {
		if values := by.header[name]; values != nil {
			now.header[name] = values
		}
	}
	return &now
}

// storable reports whether the answer may be served to all clients: it says so itself, and has nothing for one client only.
func (a *copied) storable() bool {
	_, public := freshness(a.header)
	vary := strings.Join(a.header.Values("Vary"), ", ") // a request with a token never gets a copy: see cached
	return public && a.status == http.StatusOK && len(a.body) <= cachedMost && a.header.Get("Set-Cookie") == "" && (vary == "" || vary == echo.HeaderAuthorization)
}

func (a *copied) age(now time.Time) time.Duration { return max(0, now.Sub(a.from)) }

// ttl returns how long the answer is still fresh; negative: how long ago it expired.
func (a *copied) ttl(now time.Time) time.Duration { return a.fresh - a.age(now) }

// has reports whether a client's If-None-Match names this answer (RFC 9110, 13.1.2).
func (a *copied) has(ifNoneMatch string) bool {
	tag := strings.TrimPrefix(a.header.Get("Etag"), "W/")
	return tag != "" && slices.ContainsFunc(strings.Split(ifNoneMatch, ","), func(theirs string) bool {
		theirs = strings.TrimPrefix(strings.TrimSpace(theirs), "W/")
		return theirs == tag || theirs == "*"
	})
}

// freshness reads Cache-Control as a shared cache does.
func freshness(h http.Header) (fresh time.Duration, public bool) {
	age, sharedAge, always := -1, -1, false // always: always to be revalidated
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "private":
			return 0, false
		case "public":
			public = true
		case "max-age":
			age = seconds(value)
		case "s-maxage":
			sharedAge = seconds(value)
		case "no-cache":
			always = true
		}
	}
	if sharedAge >= 0 {
		age = sharedAge
	}
	public = public || age >= 0
	if always {
		age = 0
	}
	return time.Duration(max(age, 0)) * time.Second, public
}

// seconds reads delta-seconds (RFC 9111, 1.2.2). An invalid value counts as 0, and the maximum is a year.
func seconds(value string) int {
	n, err := strconv.Atoi(strings.Trim(value, `"`))
	if err != nil {
		return 0
	}
	return min(max(n, 0), 365*24*3600)
}
