package client

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	dnsWait    = time.Second      // of a call that could use an old answer
	dnsRetry   = time.Second      // from a lookup without an answer to the next, at most
	dnsTimeout = 15 * time.Second // of a lookup: long enough to ask the second server when the first does not answer
)

// place is one URL of an upstream, and the replicas that answer there. Behind a DNS name they come and go.
//
// Nothing runs in the background. A call that finds that a lookup is due starts it, and goes on with the known replicas. It
// waits for the lookup only when none are known, or, for a moment, when the last answer is very old.
type place struct {
	cfg  Config
	base *url.URL
	dns  *net.Resolver // nil: there is nothing to look up

	mu      sync.Mutex
	all     []*replica // never changed, only replaced
	due     time.Time  // of the next lookup
	looking chan struct{}
}

func newPlace(cfg Config, base *url.URL) *place {
	p := &place{cfg: cfg, base: base}
	if isName(base.Hostname()) {
		p.dns = resolver(cfg.DNSServer)
	} else {
		p.all = []*replica{newReplica(cfg, base, "")}
	}
	return p
}

func (p *place) known() []*replica {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

func (p *place) find(ctx context.Context) []*replica {
	if p.dns == nil {
		return p.all
	}
	p.mu.Lock()
	all, late := p.all, time.Since(p.due)
	if late >= 0 && p.looking == nil {
		p.looking = make(chan struct{})
		go p.look(context.WithoutCancel(ctx), p.looking)
	}
	looking := p.looking
	p.mu.Unlock()
	var timeout <-chan time.Time
	switch {
	case looking == nil, len(all) > 0 && late <= p.cfg.DNSPeriod:
		return all
	case len(all) > 0:
		timeout = time.After(dnsWait)
	}
	select {
	case <-looking:
	case <-timeout:
	case <-ctx.Done():
	}
	return p.known()
}

// look asks DNS. When there is no answer the last good one is kept: that DNS is away, or has lost the name, says nothing
// about the replicas, and their breakers know more.
func (p *place) look(ctx context.Context, done chan struct{}) {
	defer close(done)
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	addresses, err := lookup(ctx, p.dns, p.base.Hostname())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looking = nil
	p.due = time.Now().Add(p.cfg.DNSPeriod)
	if err != nil {
		p.due = time.Now().Add(min(p.cfg.DNSPeriod, dnsRetry))
		p.cfg.Log.WarnContext(ctx, "look up an upstream; the last addresses are kept", "upstream", p.cfg.Name, "kept", len(p.all), "error", err)
		return
	}
	p.settle(ctx, addresses)
}

// settle makes replicas of new addresses. A replica whose address is gone gets no more attempts, finishes those that it
// has, and keeps no connections. The others keep their breakers.
func (p *place) settle(ctx context.Context, addresses []netip.Addr) {
	before, now := p.all, make([]*replica, 0, len(addresses))
	for _, address := range addresses {
		at := net.JoinHostPort(address.String(), portOf(p.base))
		if i := slices.IndexFunc(before, func(r *replica) bool { return r.address == at }); i >= 0 {
			now = append(now, before[i])
			continue
		}
		now = append(now, newReplica(p.cfg, p.base, at))
		p.cfg.Log.InfoContext(ctx, "replica found", "upstream", p.cfg.Name, "replica", at)
	}
	for _, r := range before {
		if !slices.Contains(now, r) {
			r.connections.CloseIdleConnections()
			p.cfg.Log.InfoContext(ctx, "replica gone", "upstream", p.cfg.Name, "replica", r.address)
		}
	}
	p.all = now
}
