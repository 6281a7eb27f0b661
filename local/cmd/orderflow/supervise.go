package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/orderflow/local/laboratory"
	"example.com/orderflow/local/process"
	"example.com/orderflow/local/system"
)

// supervise runs the system until it is stopped by a signal or by `orderflow down`. It is the process that `up` starts in the
// background: all other processes are its children and end with it.
func supervise(ctx context.Context, s settings) error {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return fmt.Errorf("folder of the system: %w", err)
	}
	lock, err := process.Lock(filepath.Join(s.dir, "lock"))
	if errors.Is(err, process.ErrLocked) {
		return fmt.Errorf("a system runs in %s already (see `orderflow status`)", s.dir)
	}
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // nothing was written to it

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	desk, err := openDesk(ctx, s.dir, stop)
	if err != nil {
		return err
	}
	defer desk.close()

	lab, err := laboratory.Open(ctx)
	if err != nil {
		return err
	}
	defer lab.Close()

	began := time.Now()
	options, err := s.build(ctx, s.dir, os.Stdout)
	if err != nil {
		return err
	}
	options.Env = map[string][]string{"bff-web": lab.Env()}
	viewer, err := s.openViewer(ctx, &options)
	if err != nil {
		return err
	}
	defer viewer.close()
	sys, err := system.Start(ctx, options)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before it was ready")
		}
		return err
	}
	desk.viewer.Store(viewer)
	desk.serve(sys)
	lab.Serve(sys)
	fmt.Printf("Orderflow is ready at %s after %.1f s; logs are in %s\n", browserURL(sys.GatewayURL), time.Since(began).Seconds(), filepath.Join(s.dir, "logs"))

	if viewer != nil {
		fmt.Printf("Traces are at %s; `make trace ORDER=<id>` prints one\n", browserURL(viewer.url))
	}

	<-ctx.Done()
	fmt.Println("stopping")
	lab.Close() // before parts are stopped that it may be about to start
	if err := sys.Stop(); err != nil {
		return err
	}
	fmt.Println("stopped")
	return nil
}
