// Package servers runs private PostgreSQL and RabbitMQ servers for development and tests, from the binaries of this machine:
// on loopback and free ports, with their data in a folder of their own, as root or any other user, any number of copies
// beside each other. They cannot outlive the program that started them.
package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"example.com/orderflow/local/process"
	"example.com/orderflow/local/secret"
)

// Options configures a server.
type Options struct {
	Dir  string    // the server's own folder, made if missing: data, log, generated password
	Port int       // on 127.0.0.1; 0: a free one
	Log  io.Writer // gets one line for each event; nil: no log

	// Settings are further lines of the server's own configuration, for example {"fsync": "off"} for PostgreSQL.
	Settings map[string]string
}

// startTimeout bounds a start if the caller does not. RabbitMQ takes 5 seconds on an idle machine, and more than two minutes
// on a busy one.
const startTimeout = 4 * time.Minute

// startTries is how often a start is tried. A try fails when another process takes the port between the check and the
// server's start, or when the previous owner of the data has not ended yet.
const startTries = 4

// server is the common part of PostgreSQL and RabbitMQ: one process with a log file and a lock on a folder.
type server struct {
	name    string
	options Options
	process *process.Process
	lock    *os.File
}

// open makes the server's folder and locks it.
func open(name string, options Options) (server, error) {
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return server{}, fmt.Errorf("folder of %s: %w", name, err)
	}
	options.Dir = dir
	if options.Log == nil {
		options.Log = io.Discard
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return server{}, fmt.Errorf("folder of %s: %w", name, err)
	}
	s := server{name: name, options: options}
	return s, s.take()
}

// take locks the folder, so that no two programs run a server on the same data.
func (s *server) take() (err error) {
	if s.lock != nil {
		return nil
	}
	if s.lock, err = process.Lock(s.file("lock")); errors.Is(err, process.ErrLocked) {
		return fmt.Errorf("%s in %s is run by another program", s.name, s.options.Dir)
	}
	return err
}

func (s *server) leave() {
	if s.lock != nil {
		_ = s.lock.Close() // nothing was written to it
		s.lock = nil
	}
}

// start tries until the server is ready. launch starts one try; ready is called until it returns nil. The context bounds
// the start, not the server's life.
func (s *server) start(ctx context.Context, launch func(context.Context) error, ready func(context.Context) error) error {
	if s.Running() {
		return fmt.Errorf("%s is running already", s.name)
	}
	if err := s.take(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	began := time.Now()
	for try := 1; ; try++ {
		err := launch(ctx)
		if err == nil {
			err = s.wait(ctx, ready)
		}
		if err == nil {
			s.tell("ready after %.1f s", time.Since(began).Seconds())
			return nil
		}
		if s.Running() {
			s.process.Kill()
		}
		if _, missing := errors.AsType[Missing](err); missing {
			s.leave()
			return err
		}
		if ctx.Err() != nil || try == startTries {
			s.leave()
			return fmt.Errorf("start %s: %w\n%s", s.name, err, process.LogTail(s.LogFile()))
		}
		s.tell("did not start, trying again: %v", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// wait calls ready until it returns nil or the process has ended.
func (s *server) wait(ctx context.Context, ready func(context.Context) error) error {
	var last error
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		last = ready(attempt)
		cancel()
		if last == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			return fmt.Errorf("it ended at once: %w", errors.Join(s.process.Err(), last))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(ctx.Err(), last))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Running reports whether the server's process is running.
func (s *server) Running() bool { return s.process != nil && s.process.Running() }

// Pid is the process id of the latest start.
func (s *server) Pid() int { return s.process.Pid() }

// Done is closed when the process of the latest start has ended, wanted or not.
func (s *server) Done() <-chan struct{} { return s.process.Done() }

// Kill ends the server at once, as kill -9 does, with every process that belongs to it.
func (s *server) Kill() {
	if s.Running() {
		s.process.Kill()
		s.leave()
		s.tell("killed")
	}
}

// Suspend freezes the server: connections stay open and no request is answered.
func (s *server) Suspend() { s.process.Suspend() }

// Resume ends a Suspend.
func (s *server) Resume() { s.process.Resume() }

// LogFile is the path of the server's log.
func (s *server) LogFile() string { return s.file(s.name + ".log") }

func (s *server) file(name string) string { return filepath.Join(s.options.Dir, name) }

func (s *server) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(s.options.Log, s.name+": "+format+"\n", args...)
}

// secret is a password that is generated once and then read from its file.
func (s *server) secret(name string) (string, error) { return secret.File(s.file(name), rand.Text) }
