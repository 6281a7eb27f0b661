package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// URLs are where the replicas of a neighbour answer. As a setting they are separated by commas.
type URLs []string

// UnmarshalText checks each URL.
func (u *URLs) UnmarshalText(text []byte) error {
	*u = nil
	for s := range strings.SplitSeq(string(text), ",") {
		s = strings.TrimSpace(s)
		if _, err := parseBase(s); err != nil {
			return err
		}
		*u = append(*u, s)
	}
	return nil
}

func parseBase(s string) (*url.URL, error) {
	base, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%q is not like http://host:8080/path", s)
	}
	return base, nil
}

// replica is one process of the neighbour.
type replica struct {
	base    *url.URL
	breaker circuitbreaker.CircuitBreaker[*http.Response]
	guard   failsafe.Executor[*http.Response]
}

// ready reports whether the breaker lets an attempt pass, be it the one that tries whether the replica is well again.
func (r *replica) ready() bool { return r.breaker.RemainingDelay() == 0 }

// resolve puts the replica's address before a path. The path stays as the caller has written it, escapes and all.
func (r *replica) resolve(path *url.URL) *url.URL {
	u := *path
	u.Scheme, u.Host = r.base.Scheme, r.base.Host
	if prefix := strings.TrimSuffix(r.base.EscapedPath(), "/"); prefix != "" {
		u.Path = strings.TrimSuffix(r.base.Path, "/") + path.Path
		u.RawPath = prefix + path.EscapedPath()
	}
	return &u
}

// replicas are all processes of a neighbour. They take turns.
type replicas struct {
	all  []*replica
	next atomic.Uint64
}

func newReplicas(cfg Config) *replicas {
	rs := &replicas{}
	for _, s := range cfg.URLs {
		base, err := parseBase(s)
		if err != nil {
			panic(fmt.Sprintf("client of %s: %v", cfg.Name, err))
		}
		r := &replica{base: base}
		r.guard = guard(cfg, r)
		rs.all = append(rs.all, r)
	}
	if len(rs.all) == 0 {
		panic(fmt.Sprintf("client of %s: no URL", cfg.Name))
	}
	watch(cfg, rs.all)
	return rs
}

var errAllOpen = errors.New("the breakers of all replicas are open")

// pick returns the replica whose turn it is, among those that this call has not tried yet, else among all, and of these
// only one that is ready.
func (rs *replicas) pick(tried []*replica) (*replica, error) {
	turn := int(rs.next.Add(1) % uint64(len(rs.all)))
	var again *replica
	for i := range rs.all {
		r := rs.all[(turn+i)%len(rs.all)]
		switch {
		case !r.ready():
		case !slices.Contains(tried, r):
			return r, nil
		case again == nil:
			again = r
		}
	}
	if again == nil {
		return nil, errAllOpen
	}
	return again, nil
}

// left reports whether a replica is ready that has not been tried.
func (rs *replicas) left(tried []*replica) bool {
	return slices.ContainsFunc(rs.all, func(r *replica) bool { return r.ready() && !slices.Contains(tried, r) })
}

// readyIn returns how long no replica will be tried.
func (rs *replicas) readyIn() time.Duration {
	soonest := rs.all[0].breaker.RemainingDelay()
	for _, r := range rs.all[1:] {
		soonest = min(soonest, r.breaker.RemainingDelay())
	}
	return soonest
}
