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

// Part is one process of a system: a replica of a program, or a server. Its state is kept until the next call: a part that
// was stopped or killed on purpose is not restarted.
type Part struct {
	Name string // "orders-1", "postgres"
	URL  string // base address; of a server the administrator's URL

	log     io.Writer
	started chan (<-chan struct{}) // closed when the process of the latest start ends

	mu     sync.RWMutex // taken for reading by calls that only look, not change
	unit   unit
	wanted bool
}

// unit is the process behind a part. Its methods are called by one goroutine at a time; only Running may be called by several.
type unit interface {
	Start(ctx context.Context) error // returns when it is ready
	Stop() error
	Kill()
	Suspend()
	Resume()
	Running() bool
	Pid() int              // of the latest start
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

// Start starts the part and returns when it is ready. A running part stays as it is.
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
	p.unit.Resume() // a frozen process does not receive signals
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

// Replace stops a replica of a program and starts it from another folder of programs, as a roll-out of another release does.
// It keeps its port and its settings.
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

// Suspend freezes the part: its connections stay open and no request is answered.
func (p *Part) Suspend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unit.Running() {
		p.unit.Suspend()
	}
}

// Resume lets a suspended part go on.
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

// Pid is the process id of the part's latest start; 0: it does not run. Its descendants, which process.Family lists, belong
// to the part as well.
func (p *Part) Pid() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.unit.Running() {
		return 0
	}
	return p.unit.Pid()
}

// LogFile is the path of the part's log.
func (p *Part) LogFile() string { return p.unit.LogFile() }

// note tells the supervisor of a start.
func (p *Part) note() {
	p.wanted = true
	select {
	case <-p.started: // of an earlier start that it has not read yet
	default:
	}
	p.started <- p.unit.Done()
}

// supervise reports each unexpected end of the part and, if restart is set, starts the part again.
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

// restart tries until the part runs or is no longer wanted, with growing pauses.
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
