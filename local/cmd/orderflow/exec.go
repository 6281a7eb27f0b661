package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"example.com/orderflow/local/process"
	"example.com/orderflow/local/servers"
)

// execute runs a command with servers of its own, as `make test` does with `go test`. Servers whose addresses are already in the
// environment are used instead.
func execute(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("exec -- which command?")
	}
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	if command.Err != nil { // before servers are started in vain
		return command.Err
	}
	dir, err := os.MkdirTemp("", "orderflow-exec-")
	if err != nil {
		return fmt.Errorf("folder for the servers: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder, which is cleaned up anyway

	stop, added, err := testServers(ctx, dir)
	defer stop()
	if err != nil {
		return err
	}

	command.Env = append(os.Environ(), added...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 20 * time.Second
	err = process.Run(command, syscall.SIGTERM)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return exitCode(exit.ExitCode())
	}
	return err
}

// testServers starts the servers whose addresses are not in the environment. Their data is thrown away, so it need not reach
// the disk, and they may be killed at the end.
func testServers(ctx context.Context, dir string) (stop func(), env []string, err error) {
	var mu sync.Mutex
	var stops []func()
	stop = func() {
		for _, stop := range stops {
			stop()
		}
	}
	started := func(kill func(), settings ...string) {
		mu.Lock()
		defer mu.Unlock()
		stops = append(stops, kill)
		env = append(env, settings...)
	}

	var all sync.WaitGroup
	var postgres, rabbit error
	if os.Getenv("TEST_POSTGRES_URL") == "" {
		all.Go(func() {
			var p *servers.Postgres
			p, postgres = servers.StartPostgres(ctx, servers.Options{
				Dir: filepath.Join(dir, "postgres"), Log: os.Stderr,
				Settings: map[string]string{"fsync": "off", "full_page_writes": "off", "max_connections": "1000"},
			})
			if postgres == nil {
				started(p.Kill, "TEST_POSTGRES_URL="+p.URL)
			}
		})
	}
	if os.Getenv("TEST_RABBITMQ_URL") == "" {
		all.Go(func() {
			var r *servers.RabbitMQ
			r, rabbit = servers.StartRabbitMQ(ctx, servers.Options{Dir: filepath.Join(dir, "rabbitmq"), Log: os.Stderr})
			if rabbit == nil {
				started(r.Kill, "TEST_RABBITMQ_URL="+r.URL, "TEST_RABBITMQ_MANAGEMENT_URL="+r.Management)
			}
		})
	}
	all.Wait()
	return stop, env, errors.Join(postgres, rabbit)
}
