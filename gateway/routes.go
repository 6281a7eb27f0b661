package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// resource is a path and its methods. {x} stands for one segment of a path, {x...} for all the rest.
type resource struct {
	pattern string
	methods methods // none: not found
}

// methods are handlers by method. GET also serves HEAD.
type methods map[string]echo.HandlerFunc

// routes returns all that can be reached from outside; the first pattern that fits counts. Paths are the same in front of the
// gateway and behind it.
func (g *gateway) routes() ([]resource, error) {
	shopper := func(to target) echo.HandlerFunc { return g.only(identity.ScopeOrders, g.forward(to)) }
	operator := func(to target) echo.HandlerFunc { return g.only(identity.ScopeOperations, g.forward(to)) }
	courier := func(to target) echo.HandlerFunc { return g.only(identity.ScopeParcels, g.forward(to)) }
	deadLetter := g.only(identity.ScopeOperations, g.deadLetter)

	var missing error
	service := func(name string) target {
		upstream, there := g.upstreams.services[name]
		if !there {
			missing = errors.Join(missing, fmt.Errorf("SERVICES has no address of %s", name))
		}
		return target{upstream: upstream}
	}
	keyed := func(to target) target { to.keyed = true; return to }

	orders := service("orders")
	inventory := service("inventory")
	payments := service("payments")
	shipping := service("shipping")
	placing, shelving := keyed(orders), keyed(inventory)
	composed := target{upstream: g.upstreams.bff}
	pages := target{upstream: g.upstreams.bff, pages: true}

	token, keys := methods{"POST": g.postToken}, methods{"GET": g.getKeys}
	if g.demo == nil {
		token, keys = nil, nil
	}
	return []resource{
		{"/oauth/token", token},
		{"/.well-known/jwks.json", keys},

		{"/", methods{"GET": g.entrance(pages)}},
		{"/openapi.yaml", methods{"GET": g.getDocument}},
		{"/asyncapi.yaml", methods{"GET": g.getDocument}},
		{"/docs/api", methods{"GET": g.getDocument}},
		{"/docs/api.css", methods{"GET": g.getDocument}},
		{"/docs/api.js", methods{"GET": g.getDocument}},
		{"/docs/problems", methods{"GET": g.getDocument}},
		{"/docs/problems/{name}", methods{"GET": g.getDocument}},

		{"/api/products", methods{"GET": g.cached(inventory)}},
		{"/api/products/{sku}", methods{"GET": g.known(g.cached(inventory)), "PUT": g.changing(operator(inventory))}},
		{"/api/products/{sku}/image", methods{"GET": g.cached(inventory)}},
		{"/api/products/{sku}/stock", methods{"POST": g.changing(operator(shelving))}},
		{"/api/stock", methods{"GET": operator(inventory)}},
		{"/api/payments/{order_id}", methods{"GET": operator(payments)}},
		{"/api/payments/{order_id}/settlement", methods{"POST": operator(payments)}},
		{"/api/shipments/{order_id}", methods{"GET": operator(shipping)}},
		{"/api/shipments/{order_id}/settlement", methods{"POST": operator(shipping)}},

		{"/api/orders", methods{"GET": shopper(orders), "POST": shopper(placing)}},
		{"/api/orders/{id}", methods{"GET": shopper(orders)}},
		{"/api/orders/{id}/tracking", methods{"GET": live(shopper(composed), shopper(orders))}},
		{"/api/orders/{id}/cancellation", methods{"POST": shopper(orders)}},

		{"/api/parcels", methods{"GET": courier(composed)}},
		{"/api/parcels/hands", methods{"PUT": courier(composed)}},
		{"/api/parcels/{tracking_number}/stages", methods{"POST": courier(composed)}},

		{"/api/operations/attention", methods{"GET": operator(orders)}},
		{"/api/operations/books", methods{"GET": operator(composed)}},
		{"/api/operations/orders", methods{"GET": operator(orders)}},
		{"/api/operations/orders/{id}/retry", methods{"POST": operator(orders)}},
		{"/api/operations/orders/{id}/note", methods{"POST": operator(orders)}},
		{"/api/operations/dead-letters", methods{"GET": operator(composed)}},
		{"/api/operations/dead-letters/replay", methods{"POST": operator(composed)}},
		{"/api/operations/dead-letters/discard", methods{"POST": operator(composed)}},
		{"/api/operations/dead-letters/{id}", methods{"GET": deadLetter}},
		{"/api/operations/dead-letters/{id}/replay", methods{"POST": deadLetter}},
		{"/api/operations/dead-letters/{id}/discard", methods{"POST": deadLetter}},

		{"/api/laboratory", methods{"GET": operator(composed)}},
		{"/api/laboratory/faults", methods{"PUT": operator(composed)}},
		{"/api/laboratory/pace", methods{"PUT": operator(composed)}},
		{"/api/laboratory/customers", methods{"PUT": operator(composed)}},
		{"/api/laboratory/scenes/{name}", methods{"POST": operator(composed)}},
		{"/api/laboratory/poison", methods{"POST": operator(composed)}},
		{"/api/laboratory/mistake", methods{"POST": operator(composed)}},
		{"/api/laboratory/programs/{name}/{action}", methods{"POST": operator(composed)}},

		{"/api", nil},
		{"/api/{unknown...}", nil},
		{"/metrics", nil}, // those of bff-web are not public
		{"/live", methods{"GET": web.Stream(g.forward(pages))}},
		{"/backstage/live", methods{"GET": web.Stream(g.forward(pages))}},
		{"/orders/{id}/live", methods{"GET": web.Stream(g.forward(pages))}},
		{"/{page...}", methods{"GET": g.forward(pages), "POST": g.forward(pages)}}, // bff-web checks the Origin of forms
	}, missing
}

// deadLetter forwards to the service that is named at the beginning of a dead letter's id.
func (g *gateway) deadLetter(c echo.Context) error {
	id := strings.TrimPrefix(c.Request().URL.Path, "/api/operations/dead-letters/")
	owner, _, _ := strings.Cut(id, ".")
	service, there := g.upstreams.services[owner]
	if !there {
		return echo.ErrNotFound
	}
	return g.forward(target{upstream: service})(c)
}

func (g *gateway) only(scope string, next echo.HandlerFunc) echo.HandlerFunc {
	return web.Authenticate(g.verifier, scope)(g.limitCaller(next))
}

// known serves a path that is public and tells some callers more: a token is checked if there is one.
func (g *gateway) known(next echo.HandlerFunc) echo.HandlerFunc {
	limited := g.limitCaller(next)
	return web.Identify(g.verifier)(func(c echo.Context) error {
		if identity.From(c.Request().Context()).ID == "" {
			return next(c)
		}
		return limited(c)
	})
}

// live serves a path that also exists as a stream.
func live(stream, once echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
		if web.WantsStream(c.Request()) {
			return stream(c)
		}
		return once(c)
	}
}

// server returns the server of the public port. The table of routes comes after all that the server answers itself. The table
// does not use echo's router: with a catch-all, echo no longer knows which methods the other patterns have.
func (g *gateway) server(cfg web.Config) *web.Server {
	cfg.Proxies, cfg.Page = g.proxies, g.page
	if len(g.origins) > 0 {
		cfg.Outer = append(cfg.Outer, g.crossOrigin())
	}
	s := web.New(cfg)
	s.Pre(g.protect)
	s.Use(g.limitAddress)
	s.RouteNotFound("/*", g.serve)
	return s
}

func (g *gateway) serve(c echo.Context) error {
	r := c.Request()
	i := slices.IndexFunc(g.table, func(res resource) bool { return fits(res.pattern, r.URL.Path) })
	if i < 0 || !plain(r.URL) || g.table[i].methods == nil {
		return echo.ErrNotFound
	}
	// From here on the path is always escaped in the same way. Otherwise MUG%2DBLUE would be another product than MUG-BLUE,
	// both for the cache and for echo in the upstream.
	r.URL.RawPath = ""
	found := g.table[i]
	c.SetPath(found.pattern)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle, ok := found.methods[method]
	if d, going := g.deprecations[method+" "+found.pattern]; going {
		d.announce(c.Response().Header())
	}
	if ok {
		return handle(c)
	}
	c.Response().Header().Set(echo.HeaderAllow, allow(found.methods))
	if method == http.MethodOptions {
		return c.NoContent(http.StatusNoContent)
	}
	return echo.ErrMethodNotAllowed
}

func fits(pattern, path string) bool {
	for {
		want, patternLeft, more := strings.Cut(pattern, "/")
		if strings.HasSuffix(want, "...}") {
			return true
		}
		got, pathLeft, has := strings.Cut(path, "/")
		if wild := strings.HasPrefix(want, "{"); wild && got == "" || !wild && got != want || more != has {
			return false
		}
		if !more {
			return true
		}
		pattern, path = patternLeft, pathLeft
	}
}

// plain excludes paths that an upstream might interpret differently than the gateway.
func plain(u *url.URL) bool {
	escaped := strings.ToLower(u.EscapedPath())
	return path.Clean(u.Path) == u.Path && !strings.Contains(escaped, "%2f") && !strings.Contains(escaped, "%5c") && !strings.Contains(escaped, `\`)
}

func allow(m methods) string {
	names := append(slices.Collect(maps.Keys(m)), http.MethodOptions)
	if m[http.MethodGet] != nil {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
