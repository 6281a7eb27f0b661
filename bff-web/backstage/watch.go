package backstage

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/sse"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/bff-web/live"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// watchScreen is the page with the picture of the architecture.
type watchScreen struct {
	part
	Pictures []picture
	Programs []part
	Stations []station
	Tapped   bool
}

// Exact returns how many messages a pile shows one by one.
func (watchScreen) Exact() int { return oneByOne(queueBase) }

// Pages are the page of the backstage, and its stream.
type Pages struct {
	pages   *site.Site
	log     *slog.Logger
	streams *sse.Streams
	lookout *Lookout
}

// New returns the page of what a lookout sees.
func New(pages *site.Site, streams *sse.Streams, lookout *Lookout) *Pages {
	return &Pages{pages: pages, log: pages.Log, streams: streams, lookout: lookout}
}

// NewLookout looks at nothing until somebody watches. It ends with the streams.
func NewLookout(services []upstream.Service, checker *health.Checker, feed *live.Feed, streams *sse.Streams) *Lookout {
	l := &Lookout{absent: checker.Absences.Of, ending: streams.Ending}
	for _, service := range services {
		l.services = append(l.services, service.Name)
	}
	l.checkUp = func(ctx context.Context) []health.Health { return append(checker.CheckUp(ctx), checker.Itself()) }
	l.listens = func(kind string) bool { return slices.Contains(live.Kinds, kind) && feed.Live() }
	return l
}

// Routes registers both.
func (s *Pages) Routes(e *web.Server) {
	e.GET("/backstage", s.getBackstage, s.pages.Only(identity.ScopeOperations)...)
	e.GET("/backstage/live", s.getBackstageLive, web.Stream, s.pages.Session)
}

// getBackstage serves the picture as it is now. Its script keeps it up to date.
func (s *Pages) getBackstage(c echo.Context) error {
	f := s.lookout.still(c.Request().Context())
	screen := watchScreen{
		part:     part{f, ""},
		Pictures: []picture{newWide(f, s.lookout.services), newTall(f, s.lookout.services)},
		Tapped:   s.lookout.Tap != nil,
	}
	screen.Stations = screen.Pictures[0].Stations
	screen.Programs = []part{{f, "gateway"}, {f, upstream.Self}}
	for _, station := range screen.Stations {
		screen.Programs = append(screen.Programs, station.part)
	}
	return s.pages.Render(c, http.StatusOK, "backstage.html", screen)
}

// getBackstageLive serves the frames of the picture, one after the other. A reader that is slow gets fewer of them.
func (s *Pages) getBackstageLive(c echo.Context) error {
	who := visitor.Of(c)
	if who == nil {
		return visitor.ErrNoSession
	}
	if !who.Operator() {
		return fault.New(fault.Forbidden, "this needs the scope %q", identity.ScopeOperations)
	}
	leave, err := s.streams.Enter(who.Caller.ID)
	if err != nil {
		return err
	}
	defer leave()
	out, err := sse.Open(c)
	if out == nil {
		return err
	}
	defer s.lookout.enter()()
	ctx, cancel := context.WithDeadline(c.Request().Context(), who.Expires)
	defer cancel()
	if err := s.lookout.send(ctx, out); err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "a stream was cut off", "error", err)
	}
	return nil // the answer has begun, so no error can be sent
}

// send sends frames until ctx ends.
func (l *Lookout) send(ctx context.Context, out *sse.Events) error {
	beat := time.NewTicker(sse.Heartbeat)
	defer beat.Stop()
	err := out.Begin()
	for seen := 0; err == nil; {
		news, turn, more := l.look(seen)
		if news != nil {
			seen = turn
			err = out.Write("%s", news)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.ending.Done():
			return out.Part()
		case <-beat.C:
			err = out.Beat()
		case <-more:
		}
	}
	return err
}

// Inspected makes the lookout ask a broker about its queues.
func (l *Lookout) Inspected(by *bus.Broker) {
	l.inspect = func() inspector { return by.NewInspector() }
}
