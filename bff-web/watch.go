package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
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

func (s *site) newLookout() *lookout {
	l := &lookout{absent: s.absences.of, ending: s.streams.ending}
	for _, service := range s.services {
		l.services = append(l.services, service.name)
	}
	l.checkUp = func(ctx context.Context) []health { return append(s.checkUp(ctx), s.itself()) }
	l.listens = func(kind string) bool { return slices.Contains(notificationKinds, kind) && s.feed.live() }
	return l
}

// getBackstage serves the picture as it is now. Its script keeps it up to date.
func (s *site) getBackstage(c echo.Context) error {
	f := s.lookout.still(c.Request().Context())
	screen := watchScreen{
		part:     part{f, ""},
		Pictures: []picture{newWide(f, s.lookout.services), newTall(f, s.lookout.services)},
		Tapped:   s.lookout.tap != nil,
	}
	screen.Stations = screen.Pictures[0].Stations
	screen.Programs = []part{{f, "gateway"}, {f, name}}
	for _, station := range screen.Stations {
		screen.Programs = append(screen.Programs, station.part)
	}
	return s.pages.render(c, http.StatusOK, "backstage.html", screen)
}

// getBackstageLive serves the frames of the picture, one after the other. A reader that is slow gets fewer of them.
func (s *site) getBackstageLive(c echo.Context) error {
	who := visitor(c)
	if who == nil {
		return errNoSession
	}
	if !who.Operator() {
		return fault.New(fault.Forbidden, "this needs the scope %q", identity.ScopeOperations)
	}
	leave, err := s.streams.enter(who.Caller.ID)
	if err != nil {
		return err
	}
	defer leave()
	out, err := openEvents(c)
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
func (l *lookout) send(ctx context.Context, out *events) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	err := out.begin()
	for seen := 0; err == nil; {
		news, turn, more := l.look(seen)
		if news != nil {
			seen = turn
			err = out.write("%s", news)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.ending.Done():
			return out.part()
		case <-beat.C:
			err = out.beat()
		case <-more:
		}
	}
	return err
}

// inspected makes the lookout ask a broker about its queues.
func (l *lookout) inspected(by *bus.Broker) {
	l.inspect = func() inspector { return by.NewInspector() }
}
