package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"syscall"
	"time"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/process"
	"example.com/orderflow/local/servers"
)

// program is a replica of one of Orderflow's programs, as a unit.
type program struct {
	path    string
	env     []string
	dir     string
	logFile string
	url     string
	held    []net.Listener // keep its ports free until its first start
	process *process.Process
}

// readyTimeout bounds the start of a program: migrations, and several programs on few cores.
const readyTimeout = 2 * time.Minute

func (p *program) Start(ctx context.Context) error {
	log, err := process.OpenLog(p.logFile)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child has its own copy
	for _, held := range p.held {
		if err := servers.Release(held); err != nil {
			return fmt.Errorf("give up a port for it: %w", err)
		}
	}
	p.held = nil

	command := exec.CommandContext(context.WithoutCancel(ctx), p.path)
	command.Env, command.Dir = p.env, p.dir
	command.Stdout, command.Stderr = log, log
	if p.process, err = process.Start(command, syscall.SIGKILL); err != nil {
		return err
	}
	if err := p.waitUntilReady(ctx); err != nil {
		p.process.Kill()
		return fmt.Errorf("%w\n%s", err, process.LogTail(p.logFile))
	}
	return nil
}

func (p *program) waitUntilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		last := ready(ctx, p.url)
		if last == nil {
			return nil
		}
		select {
		case <-p.process.Done():
			return fmt.Errorf("it ended at once: %w", errors.Join(p.process.Err(), last))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(ctx.Err(), last))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := direct.Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is lost with it
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 500)) // only for the error message
		return fmt.Errorf("/readyz: %s %s", response.Status, answer)
	}
	return nil
}

func (p *program) Stop() error {
	return p.process.Stop(syscall.SIGTERM, 30*time.Second)
}

func (p *program) Kill() {
	if p.process != nil {
		p.process.Kill()
	}
}

func (p *program) Suspend()              { p.process.Suspend() }
func (p *program) Resume()               { p.process.Resume() }
func (p *program) Running() bool         { return p.process != nil && p.process.Running() }
func (p *program) Pid() int              { return p.process.Pid() }
func (p *program) Done() <-chan struct{} { return p.process.Done() }
func (p *program) LogFile() string       { return p.logFile }
