package system

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"example.com/orderflow/local/process"
)

// Part is one process of a system: a replica of a program, or a server. What is done to a part holds until something
// else is done to it: a part that was stopped or killed on purpose is not restarted.
type Part struct {
	Name string // "orders-1", "postgres"
	URL  string // base address; of a server the administrator's

	log     io.Writer
	started chan (<-chan struct{}) // closed when the process of the latest start ends

	mu     sync.RWMutex // only for reading: to look, which is not to change
	unit   unit
	wanted bool
}

// unit is what a part is made of. Its methods are called by one goroutine at a time; only Running may be by several.
type unit interface {
	Start(ctx context.Context) error // returns when it is ready
	Stop() error
	Kill()
	Suspend()
	Resume()
	Running() bool
	Pid() int              // of a unit that has been started
	Done() <-chan struct{} // closed when the process of the latest start has ended
	LogFile() string
}

func newPart(name, url string, u unit, log io.Writer) *Part {
	p := &Part{Name: name, URL: url, unit: u, log: log, started: make(chan (<-chan struct{}), 1)}
	if u.Running() {
		p.note()
	}
	return p
}

// Start starts the part and returns when it is ready. One that runs is left alone.
func (p *Part) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unit.Running() {
		return nil
	}
	if err := p.unit.Start(ctx); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.note()
	return nil
}

// Stop asks the part to end and waits until it has.
func (p *Part) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = false
	if !p.unit.Running() {
		return nil
	}
	p.unit.Resume() // a frozen process hears nothing
	if err := p.unit.Stop(); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	return nil
}

// Kill ends the part as kill -9 does.
func (p *Part) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = false
	p.unit.Kill()
}

// Replace stops a replica of a program and starts it as it is in another folder of programs, as a roll-out of another
// release does. It keeps its port and its settings.
func (p *Part) Replace(ctx context.Context, binaries string) error {
	replica, ok := p.unit.(*program)
	if !ok {
		return fmt.Errorf("replace %s: it is a server", p.Name)
	}
	if err := p.Stop(); err != nil {
		return err
	}
	p.mu.Lock()
	replica.path = filepath.Join(binaries, filepath.Base(replica.path))
	p.mu.Unlock()
	return p.Start(ctx)
}

// Suspend freezes the part: its connections stay open and nothing answers.
func (p *Part) Suspend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unit.Running() {
		p.unit.Suspend()
	}
}

// Resume ends a Suspend.
func (p *Part) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unit.Running() {
		p.unit.Resume()
	}
}

// State is "running" (frozen or not), "stopped", or "changing" while a Start, Stop or Kill is under way.
func (p *Part) State() string {
	if !p.mu.TryRLock() {
		return "changing"
	}
	defer p.mu.RUnlock()
	if p.unit.Running() {
		return "running"
	}
	return "stopped"
}

// Pid is the process id of the part's latest start, 0 while it does not run. Its descendants belong to the part as well:
// process.Family lists them.
func (p *Part) Pid() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.unit.Running() {
		return 0
	}
	return p.unit.Pid()
}

// LogFile is where the part writes its log.
func (p *Part) LogFile() string { return p.unit.LogFile() }

// note tells the supervisor of a start.
func (p *Part) note() {
	p.wanted = true
	select {
	case <-p.started: // of an earlier start, which it has not looked at
	default:
	}
	p.started <- p.unit.Done()
}

// supervise reports each end of the part that nobody asked for and, if it may, starts the part again.
func (p *Part) supervise(ctx context.Context, restart bool) {
	for {
		select {
		case <-ctx.Done():
			return
		case done := <-p.started:
			began := time.Now()
			select {
			case <-ctx.Done():
				return
			case <-done:
			}
			if !p.lost() {
				continue
			}
			p.tell("ended by itself after %s; %s", time.Since(began).Round(time.Second), process.LogTail(p.LogFile()))
			if restart {
				p.restart(ctx)
			}
		}
	}
}

func (p *Part) lost() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.wanted && !p.unit.Running()
}

// restart tries until the part runs or is no longer wanted, with pauses that grow.
func (p *Part) restart(ctx context.Context) {
	for pause := time.Second; p.lost(); pause = min(2*pause, 30*time.Second) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if !p.lost() {
			return
		}
		if err := p.Start(ctx); err != nil {
			p.tell("%v", err)
			continue
		}
		p.tell("runs again")
	}
}

func (p *Part) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(p.log, p.Name+" "+format+"\n", args...)
}
