package laboratory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"example.com/orderflow/local/system"
)

// Part is a program or server, as the list shows it.
type Part struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`         // running, stopped, changing
	Actions []string  `json:"actions"`       // what may be done to it
	Back    time.Time `json:"back,omitzero"` // when it is started by itself; zero: it is not, or is there
}

// comeback is the end of what is being done to a part.
type comeback struct {
	at   time.Time          // when the part comes back by itself; zero: it does not
	drop context.CancelFunc // somebody has decided otherwise
}

// The gateway and bff-web serve the page with the buttons: without them, nobody could press the button that starts them again.
const (
	restart = "restart"
	soon    = time.Second // before such a restart, so that the page can still be shown
)

// actions returns what may be done to a part.
func actions(s *system.System, p *system.Part) []string {
	switch {
	case slices.Contains(s.Named("gateway"), p), slices.Contains(s.Named("bff-web"), p):
		return []string{restart}
	case p.State() == "running":
		return []string{"stop", "kill"}
	case p.State() == "stopped":
		return []string{"start"}
	}
	return []string{}
}

func (d *Desk) list(w http.ResponseWriter, _ *http.Request) {
	s := d.system.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	parts := []Part{}
	for _, p := range s.Parts() {
		is := Part{Name: p.Name, State: p.State(), Actions: actions(s, p)}
		if is.State != "running" {
			is.Back = d.returns[p.Name].at
		}
		parts = append(parts, is)
	}
	answer(w, http.StatusOK, map[string]any{"items": parts})
}

// act does something to all parts with a name: "orders" is all of its replicas. The answer does not wait for it, because a server
// may take longer than callers wait. With "after" it begins later, and with "for" what was stopped or killed comes back by itself.
func (d *Desk) act(w http.ResponseWriter, r *http.Request) {
	s, name, action := d.system.Load(), r.PathValue("name"), r.PathValue("action")
	when, ok := read(w, r)
	if !ok {
		return
	}
	parts := s.Named(name)
	if len(parts) == 0 {
		refuse(w, http.StatusNotFound, "there is no part %q here", name)
		return
	}
	for _, p := range parts {
		switch may := actions(s, p); {
		case p.State() == "changing":
			refuse(w, http.StatusConflict, "%s is about to start or to stop", p.Name)
			return
		case slices.Contains(may, restart) && action != restart:
			refuse(w, http.StatusConflict, "%s serves this page, so it can only be restarted", p.Name)
			return
		case !slices.Contains([]string{"start", "stop", "kill", restart}, action):
			refuse(w, http.StatusNotFound, "a part can be started, stopped, killed and restarted, not %q", action)
			return
		}
	}
	for _, p := range parts {
		d.do(p, action, when)
	}
	answer(w, http.StatusAccepted, map[string]string{"status": "accepted"})
}

// do begins an action on a part. It takes the place of what was planned for the part.
func (d *Desk) do(p *system.Part, action string, when span) {
	ctx, drop := context.WithCancel(d.life)
	d.mu.Lock()
	if before, planned := d.returns[p.Name]; planned {
		before.drop()
	}
	plan := comeback{drop: drop}
	if when.within > 0 {
		plan.at = time.Now().Add(when.after + when.within).UTC()
	}
	d.returns[p.Name] = plan
	d.mu.Unlock()
	d.doing.Go(func() {
		defer drop()
		if !sleep(ctx, when.after) {
			return
		}
		switch action { // what does not work is seen in the part's state, and its log says why
		case "start":
			_ = p.Start(ctx)
		case "stop":
			_ = p.Stop()
		case "kill":
			p.Kill()
		case restart:
			if sleep(ctx, soon) && p.Stop() == nil {
				_ = p.Start(ctx)
			}
		}
		for pause := when.within; pause > 0 && sleep(ctx, pause) && p.Start(ctx) != nil; {
			pause = time.Second // it was not ready in time, and somebody relies on it
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if ctx.Err() == nil {
			delete(d.returns, p.Name)
		}
	})
}

// sleep reports whether the time went by undisturbed.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// String is how tests print a part.
func (p Part) String() string { return fmt.Sprintf("%s %s %v", p.Name, p.State, p.Actions) }
