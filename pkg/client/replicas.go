package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// replicas are all processes of an upstream, those behind all its URLs.
type replicas struct {
	places []*place
	next   atomic.Uint64
}

func newReplicas(cfg Config) *replicas {
	rs := &replicas{}
	for _, s := range cfg.URLs {
		base, err := parseBase(s)
		if err != nil {
			panic(fmt.Sprintf("client of %s: %v", cfg.Name, err))
		}
		rs.places = append(rs.places, newPlace(cfg, base))
	}
	if len(rs.places) == 0 {
		panic(fmt.Sprintf("client of %s: no URL", cfg.Name))
	}
	watch(cfg, rs)
	return rs
}

var (
	errAllOpen   = errors.New("the breakers of all replicas are open")
	errNoAddress = errors.New("no address is known")
)

// pick returns a replica that is ready, one that this call has not tried yet if there is one. It compares two replicas and
// takes the one with less to do: so a slow replica gets less load without any knowledge of speeds, and two choices do
// nearly as well as all. The first of the two goes round, so idle replicas take turns.
func (rs *replicas) pick(ctx context.Context, tried []*replica) (*replica, error) {
	all := rs.find(ctx)
	if len(all) == 0 {
		return nil, errNoAddress
	}
	ready := filter(all, (*replica).ready)
	if len(ready) == 0 {
		return nil, errAllOpen
	}
	if fresh := filter(ready, func(r *replica) bool { return !slices.Contains(tried, r) }); len(fresh) > 0 {
		ready = fresh
	}
	if key, ok := ctx.Value(nearKey{}).(string); ok {
		return nearest(ready, key), nil
	}
	n := len(ready)
	turn := int(rs.next.Add(1) % uint64(n))
	one := ready[turn]
	if n == 1 {
		return one, nil
	}
	if other := ready[(turn+1+rand.IntN(n-1))%n]; other.busy.Load() < one.busy.Load() {
		return other, nil
	}
	return one, nil
}

// find returns the replicas. When a lookup is due it asks DNS.
func (rs *replicas) find(ctx context.Context) []*replica {
	if len(rs.places) == 1 {
		return rs.places[0].find(ctx)
	}
	var all []*replica
	for _, p := range rs.places {
		all = append(all, p.find(ctx)...)
	}
	return all
}

// known returns the replicas without asking DNS.
func (rs *replicas) known() (all []*replica) {
	for _, p := range rs.places {
		all = append(all, p.known()...)
	}
	return all
}

// left reports whether there is a ready replica that was not tried.
func (rs *replicas) left(tried []*replica) bool {
	return slices.ContainsFunc(rs.known(), func(r *replica) bool { return r.ready() && !slices.Contains(tried, r) })
}

// readyIn returns the time until the first replica will be tried again.
func (rs *replicas) readyIn() time.Duration {
	var soonest time.Duration
	for i, r := range rs.known() {
		if delay := r.breaker.RemainingDelay(); i == 0 || delay < soonest {
			soonest = delay
		}
	}
	return soonest
}

func filter(all []*replica, keep func(*replica) bool) []*replica {
	kept := make([]*replica, 0, len(all))
	for _, r := range all {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}
