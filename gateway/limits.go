package main

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"github.com/labstack/echo/v4"
	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// limits are how much one client may ask for. They are far above what a person or a well-behaved program needs: they only
// prevent that one client takes everything.
type limits struct {
	PerAddress float64 `env:"RATE_PER_ADDRESS" envDefault:"1000"` // requests a second, from one IPv4 address or one IPv6 network of 64 bits; a burst may be twice as many; 0: no limit
	PerCaller  float64 `env:"RATE_PER_CALLER" envDefault:"500"`   // requests a second, with tokens of one subject; a burst may be twice as many; 0: no limit

	Streams           int `env:"STREAMS" envDefault:"5000"`             // streams of server-sent events that are open at the same time
	StreamsPerAddress int `env:"STREAMS_PER_ADDRESS" envDefault:"2500"` // of these streams, from one address

	ConcurrencyLeast uint `env:"CONCURRENCY_LEAST" envDefault:"100"` // the lowest value of the adaptive limit, which is how many requests may wait for one upstream at the same time
	ConcurrencyMost  uint `env:"CONCURRENCY_MOST" envDefault:"2000"` // its highest value
	ConcurrencyFirst uint `env:"CONCURRENCY_FIRST" envDefault:"500"` // its first value, before anything is known about the upstream
}

const (
	burstSeconds = 2       // a client may send this many seconds' worth of requests at once
	clientsMost  = 100_000 // that a limiter remembers; a forgotten one starts again with a full bucket
)

// limiter is a token bucket for each client. Its headers are those of draft-ietf-httpapi-ratelimit-headers.
type limiter struct {
	name        string // name of the policy
	rate, burst float64
	policy      []string // value of the header; never changed
	now         func() time.Time
	buckets     *otter.Cache[string, *rate.Limiter]
}

func newLimiter(name string, perSecond float64) *limiter {
	l := &limiter{name: name, rate: perSecond, burst: max(1, math.Floor(perSecond*burstSeconds)), now: time.Now}
	l.buckets = otter.Must(&otter.Options[string, *rate.Limiter]{MaximumSize: clientsMost})
	l.policy = []string{fmt.Sprintf("%q;q=%.0f;w=%.0f", l.name, l.burst, math.Ceil(l.burst/l.rate))}
	return l
}

// take takes a token of a client. If there is none, ok is false and wait is the time until there is one.
func (l *limiter) take(client string) (left int, wait time.Duration, ok bool) {
	b, known := l.buckets.GetIfPresent(client)
	if !known {
		b, _ = l.buckets.SetIfAbsent(client, rate.NewLimiter(rate.Limit(l.rate), int(l.burst)))
	}
	now := l.now()
	ok = b.AllowN(now, 1)
	tokens := b.TokensAt(now)
	if !ok {
		wait = time.Duration((1 - tokens) / l.rate * float64(time.Second))
	}
	return int(tokens), wait, ok
}

// check takes a token and sets the headers that tell the client how many are left. It returns an error if there is none.
func (l *limiter) check(c echo.Context, client string) error {
	if l.rate <= 0 {
		return nil
	}
	left, wait, ok := l.take(client)
	h := c.Response().Header() // set directly below: the names are in canonical form
	h["Ratelimit-Policy"] = append(h["Ratelimit-Policy"], l.policy...)
	h["Ratelimit"] = append(h["Ratelimit"], `"`+l.name+`";r=`+strconv.Itoa(left)+";t="+strconv.Itoa(int(math.Ceil((l.burst-float64(left))/l.rate))))
	if !ok {
		return fault.New(fault.TooMany, "more than %g requests a second", l.rate).After(max(wait, time.Second))
	}
	return nil
}

// limitAddress limits all requests except health checks.
func (g *gateway) limitAddress(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		switch c.Request().URL.Path {
		case "/livez", "/readyz":
			return next(c)
		}
		if err := g.addresses.check(c, network(c.RealIP())); err != nil {
			return err
		}
		return next(c)
	}
}

// limitCaller limits requests whose token has been verified.
func (g *gateway) limitCaller(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := g.callers.check(c, identity.From(c.Request().Context()).ID); err != nil {
			return err
		}
		return next(c)
	}
}

// network returns the network that belongs to one client: an IPv4 address, or an IPv6 network of 64 bits. All notations of an
// address give the same result.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a.WithZone(""), 64).Masked().String()
}

// streams counts open streams. They last for minutes, so that a rate cannot limit them.
type streams struct {
	most, perAddress int

	mu   sync.Mutex
	all  int
	from map[string]int
}

// enter counts a stream until leave is called. It returns an error if there are too many.
func (s *streams) enter(address string) (leave func(), err error) {
	address = network(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= s.most:
		return nil, fault.New(fault.Unavailable, "too many streams are open").After(10 * time.Second)
	case s.from[address] >= s.perAddress:
		return nil, fault.New(fault.TooMany, "more than %d open streams", s.perAddress).After(10 * time.Second)
	}
	s.all++
	s.from[address]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.from[address]--; s.from[address] == 0 {
			delete(s.from, address)
		}
	}, nil
}

// bound serves a stream, which counts while it is open.
func (g *gateway) bound(c echo.Context, serve func() error) error {
	leave, err := g.streams.enter(c.RealIP())
	if err != nil {
		return err
	}
	defer leave()
	c.Response().Header().Set("X-Accel-Buffering", "no") // asks proxies in front of us not to buffer it
	return serve()
}
