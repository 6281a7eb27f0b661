// Package laboratory is where operators of a demonstration make things go wrong, and see how the system bears it.
package laboratory

import (
	"context"
	"errors"
	"net/http"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// Laboratory is where operators of a demonstration make things go wrong. The world outside, which the simulator plays, gets
// faults and customers. The supervisor of `make up`, if there is one, stops and kills programs and servers.
type Laboratory struct {
	world *client.Client // the simulator
	desk  *client.Client // the supervisor; nil: there is none
	key   string         // for the desk
}

// Connect needs the address of the simulator. Without an address or a key of the supervisor there is none.
func Connect(world, desk client.URLs, key string, c client.Config) *Laboratory {
	connect := func(name string, urls client.URLs) *client.Client {
		c.Name, c.URLs = name, urls
		c.Retries, c.Total = -1, 4*time.Second // a repeated request would begin something again
		return client.New(c)
	}
	lab := &Laboratory{world: connect("the simulator", world)}
	if len(desk) > 0 && key != "" {
		lab.desk, lab.key = connect("the supervisor", desk), key
	}
	return lab
}

var (
	errNoLaboratory = fault.New(fault.NotFound, "there is no laboratory here: it needs the demo identity and SIMULATOR_URL")
	errNoDesk       = fault.New(fault.NotFound, "programs cannot be stopped from here: only `make up` and `make demo` have a supervisor that does it")
)

// experiment lets requests pass if there is a laboratory.
func (s *Pages) experiment(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.lab == nil {
			return errNoLaboratory
		}
		return next(c)
	}
}

// tellWorld sends a request to the simulator.
func (l *Laboratory) tellWorld(ctx context.Context, method, path string, in, out any) error {
	_, err := l.world.JSON(ctx, method, path, nil, in, out)
	return refused(err)
}

// askDesk sends a request to the supervisor.
func (l *Laboratory) askDesk(ctx context.Context, method, path string, in, out any) error {
	if l.desk == nil {
		return errNoDesk
	}
	_, err := l.desk.JSON(ctx, method, path, http.Header{"Authorization": {"Bearer " + l.key}}, in, out)
	return refused(err)
}

// refused makes the refusal of an upstream one of ours, with the same text for the caller.
func refused(err error) error {
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return err
	}
	kinds := map[int]fault.Kind{http.StatusNotFound: fault.NotFound, http.StatusConflict: fault.Conflict, http.StatusUnprocessableEntity: fault.Invalid}
	kind, known := kinds[p.Status]
	if !known {
		return fault.New(fault.BadGateway, "%s answers %d", p.Upstream, p.Status).Because(err)
	}
	return fault.New(kind, "%s", p.Detail).Because(err)
}
