// Package process runs child processes that cannot outlive their parent: if the parent ends, even by kill -9, the kernel
// (or a watcher, where the kernel cannot) ends the child too. It can also freeze and kill a child with everything that the
// child started. A signal to the process group does not do that: PostgreSQL puts each of its backends in a session of its
// own.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Process is a child that runs or has ended.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd in a process group of its own, so that a Ctrl-C in the terminal reaches the parent alone and the
// parent decides in which order its children end. When the parent dies, the child gets the signal orphaned.
//
// cmd's output must be nil or an *os.File: a pipe would break with the parent.
func Start(cmd *exec.Cmd, orphaned syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true

	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// Linux ties the death signal to the thread that started the child, not to the program: this thread has to live as long
		// as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()

		release, err := startBound(cmd, orphaned)
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		release()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Run runs cmd to its end in the caller's own process group, so that Ctrl-C reaches both. When the parent dies, the child
// gets the signal orphaned.
func Run(cmd *exec.Cmd, orphaned syscall.Signal) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	runtime.LockOSThread() // as in Start
	defer runtime.UnlockOSThread()
	release, err := startBound(cmd, orphaned)
	if err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	defer release()
	return cmd.Wait()
}

// Pid is the process id of the child.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the child has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err waits for the end and says how the child ended: nil for exit code 0.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the child to end with a signal and waits. A child that takes longer than timeout is killed. That is an error,
// as is an exit code other than 0.
func (p *Process) Stop(ask syscall.Signal, timeout time.Duration) error {
	if err := p.Signal(ask); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(timeout):
		p.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed", p.cmd.Path, timeout)
	}
}

// Signal sends a signal to the child alone. It is not an error if the child has already ended.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to %s: %w", sig, p.cmd.Path, err)
	}
	return nil
}

// Kill ends the child and all its descendants at once, as kill -9 does, and returns when they are gone.
func (p *Process) Kill() {
	family := p.freeze() // a frozen process cannot start children while the list is read
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	for deadline := time.Now().Add(2 * time.Second); slices.ContainsFunc(family, Alive) && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond) // descendants are reaped by init
	}
}

// Suspend freezes the child and all its descendants, like a machine that hangs: connections stay open and no request is
// answered.
func (p *Process) Suspend() { p.freeze() }

// Resume lets a suspended child and its descendants go on.
func (p *Process) Resume() {
	if !p.Running() {
		return
	}
	for _, pid := range Family(p.Pid()) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// freeze stops the child and its descendants, parents first, until none of them runs.
func (p *Process) freeze() []int {
	if !p.Running() {
		return nil
	}
	var frozen []int
	for {
		found := slices.DeleteFunc(Family(p.Pid()), func(pid int) bool { return slices.Contains(frozen, pid) })
		if len(found) == 0 {
			return frozen
		}
		for _, pid := range found {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
		}
		frozen = append(frozen, found...)
	}
}

// Family lists pid and all its descendants, parents before children.
func Family(pid int) []int {
	children := childrenByParent()
	members := []int{pid}
	for i := 0; i < len(members); i++ {
		members = append(members, children[members[i]]...)
	}
	return members
}
