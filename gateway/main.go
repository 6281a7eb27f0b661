// Gateway is the only entrance to the system: it authenticates, routes and protects. It has no business rules.
package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/web"
)

const name = "gateway"

type config struct {
	service.Settings
	Addr      string `env:"HTTP_ADDR" envDefault:"localhost:8080"`  // the public port
	AdminAddr string `env:"ADMIN_ADDR" envDefault:"127.0.0.1:9080"` // metrics and health, for the operators' network only

	Services client.Directory `env:"SERVICES,required"`                          // replicas of all services, such as `orders=http://a:8080,orders=http://b:8080,payments=http://c:8080`
	BFFURL   client.URLs      `env:"BFF_URL" envDefault:"http://localhost:8081"` // replicas of bff-web
	Upstream client.Config    `envPrefix:"UPSTREAM_"`                            // for calls to all these programs; the time limits are 5 s for an attempt and 12 s in all

	Timeouts      web.Timeouts
	Proxies       web.Proxies   `env:"TRUSTED_PROXIES"`                       // CIDRs or addresses whose `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto` are believed. Set it behind a load balancer, or all clients share one address
	Origins       []string      `env:"CORS_ORIGINS"`                          // origins, such as https://shop.example, whose scripts may use the API, with tokens and never with cookies; empty: none
	TrustTraces   bool          `env:"TRUST_TRACEPARENT"`                     // continue the trace that a request names, and its sampling decision: only behind a proxy that makes them. Otherwise each request begins a trace, with a link to the one that it names
	StreamTimeout time.Duration `env:"STREAM_WRITE_TIMEOUT" envDefault:"15s"` // how long a write to a stream waits for a client that does not read
	Limits        limits
	Cache         cacheSettings `envPrefix:"CACHE_"`

	DemoIdentity  bool   `env:"DEMO_IDENTITY"`                         // give out tokens for the demo clients `alice`, `bob`, `olga` and `carl`; otherwise OIDC_ISSUER or JWKS_URL is needed
	IdentityKey   seed   `env:"IDENTITY_KEY"`                          // signs these tokens: 32 bytes in base64, such as `openssl rand -base64 32` prints, the same for all replicas; empty: a new key at each start
	DemoSecret    string `env:"DEMO_SECRET" envDefault:"demo"`         // the secret of all demo clients
	OIDCIssuer    string `env:"OIDC_ISSUER"`                           // URL of an OpenID Connect provider, the same for all programs; only without DEMO_IDENTITY
	JWKSURL       string `env:"JWKS_URL"`                              // the URL of an issuer's public keys, instead of OIDC_ISSUER; only without DEMO_IDENTITY
	TokenIssuer   string `env:"TOKEN_ISSUER" envDefault:"orderflow"`   // what a token's `iss` must be; with OIDC_ISSUER it is that provider
	TokenAudience string `env:"TOKEN_AUDIENCE" envDefault:"orderflow"` // what a token's `aud` must contain
}

func main() { service.Main(name, run) }

func run(ctx context.Context, p *service.Program, cfg config) error {
	g, err := newGateway(cfg, p.Log)
	if err != nil {
		return err
	}
	public := g.server(web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Timeouts: cfg.Timeouts, Outside: !cfg.TrustTraces})
	admin := web.New(web.Config{Name: name + " admin", Addr: cfg.AdminAddr, Log: p.Log, Metrics: p.Metrics})
	return p.Run(ctx,
		service.Part{Name: "http", Run: public.Run},
		service.Part{Name: "admin", Run: admin.Run},
	)
}

// gateway is the state that the routes share.
type gateway struct {
	log       *slog.Logger
	verifier  web.Verifier
	demo      *demoIdentity // nil if it is switched off
	upstreams upstreams
	table     []resource

	proxies       web.Proxies
	origins       []string
	addresses     *limiter
	callers       *limiter
	streams       *streams
	streamTimeout time.Duration
	cache         *cache
	buffers       buffers
}

// upstreams are the programs behind the gateway.
type upstreams struct {
	services map[string]upstream // each has dead letters of its own
	bff      upstream
}

func newGateway(cfg config, log *slog.Logger) (*gateway, error) {
	g := &gateway{
		log:           log,
		proxies:       cfg.Proxies,
		origins:       cfg.Origins,
		addresses:     newLimiter("address", cfg.Limits.PerAddress),
		callers:       newLimiter("caller", cfg.Limits.PerCaller),
		streams:       &streams{most: cfg.Limits.Streams, perAddress: cfg.Limits.StreamsPerAddress, from: map[string]int{}},
		streamTimeout: cfg.StreamTimeout,
		cache:         newCache(cfg.Cache),
	}
	if err := g.identify(cfg); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	to := func(name string, urls client.URLs) upstream {
		c := cfg.Upstream
		c.Name, c.URLs, c.Log = name, urls, log
		c.Timeout, c.Total = cmp.Or(c.Timeout, 5*time.Second), cmp.Or(c.Total, 12*time.Second) // longer than bff-web waits for other services
		c.RetryAmbiguous = true                                                                // only where a key is honoured: see the table of routes
		c.Composes, c.KeepHost = name == "bff-web", name == "bff-web"
		return connect(c, cfg.Limits)
	}
	g.upstreams = upstreams{services: map[string]upstream{}, bff: to("bff-web", cfg.BFFURL)}
	for name, urls := range cfg.Services {
		g.upstreams.services[name] = to(name, urls)
	}
	var err error
	g.table, err = g.routes()
	return g, err
}

// seed is the seed of an Ed25519 key; the setting is in base64.
type seed []byte

// UnmarshalText accepts exactly the number of bytes that a key needs.
func (s *seed) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != ed25519.SeedSize {
		return fmt.Errorf("not the base64 of %d bytes, such as `openssl rand -base64 %d` makes", ed25519.SeedSize, ed25519.SeedSize)
	}
	*s = raw
	return nil
}
