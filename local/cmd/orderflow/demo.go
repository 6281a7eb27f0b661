package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/demo"
	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/laboratory"
	"example.com/orderflow/local/process"
	"example.com/orderflow/local/system"
)

// worldInAHurry makes the outside world fast enough to watch. Settings of the caller take precedence.
var worldInAHurry = map[string]string{"CARRIER_PACE": "1.5s", "SUPPLIER_LEAD_TIME": "2s"}

// tellStory runs a new system of its own, tells its story, and removes it again.
func tellStory(ctx context.Context, s settings, args []string) (err error) {
	once := slices.Equal(args, []string{"-once"})
	if len(args) > 0 && !once {
		return errors.New("demo takes no arguments but -once")
	}
	dir, lock, err := freshFolder(s.dir)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // nothing was written to it
	defer func() {
		if err == nil || ctx.Err() != nil {
			_ = os.RemoveAll(dir) // the next demo tries again
		}
	}()

	lab, err := laboratory.Open(ctx)
	if err != nil {
		return err
	}
	defer lab.Close()

	narrator := demo.NewNarrator(os.Stdout)
	began := time.Now()
	sys, viewer, err := s.startDemo(ctx, dir, lab, narrator)
	if err != nil {
		return err
	}
	defer viewer.close()
	lab.Serve(sys)
	narrator.Say("ready after %.1f s", time.Since(began).Seconds())

	err = demo.Tell(ctx, sys.GatewayURL, narrator)
	if err == nil {
		err = s.auditDemo(ctx, sys, narrator)
	}
	if err != nil && ctx.Err() == nil {
		narrator.Say("\n%v\nlogs are in %s", err, filepath.Join(dir, "logs"))
	}
	if !once && ctx.Err() == nil {
		if err := calm(ctx, sys); err != nil {
			narrator.Say("\nthe carrier stays in a hurry: %v", err)
		}
		narrator.Invitation(browserURL(sys.GatewayURL))
		if viewer != nil {
			narrator.Say("traces: %s", browserURL(viewer.url))
		}
		narrator.Say("\nCtrl-C ends the system and removes its data; `make up` starts one that keeps it.")
		<-ctx.Done()
		err = nil
	}
	lab.Close() // before parts are stopped that it may be about to start
	if stopped := sys.Stop(); stopped != nil {
		return stopped
	}
	if err != nil {
		return exitCode(1) // everything has been printed
	}
	return nil
}

// calm gives the visitor time to cancel an order: from now on the carrier has its default speed.
func calm(ctx context.Context, sys *system.System) error {
	if os.Getenv("CARRIER_PACE") != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, sys.SimulatorURL+"/carrier/pace", strings.NewReader(`{"pace":"8s"}`))
	if err != nil {
		return err
	}
	answer, err := direct.Client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // the rest of it is not needed
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// auditWithin bounds the time until the demo's system is at rest. Its orders have ended by then, but some messages may still
// be on their way.
const auditWithin = 20 * time.Second

// auditDemo reports whether the books agree, and how they differ.
func (s settings) auditDemo(ctx context.Context, sys *system.System, narrator *demo.Narrator) error {
	report, err := audit.Await(ctx, audit.Of(sys, s.repo), audit.Expectations{}, auditWithin)
	if err != nil {
		return err
	}
	if !report.OK() {
		report.Print(narrator)
		return errors.New("the books do not agree")
	}
	narrator.Say("\n%s", report.Summary())
	return nil
}

func (s settings) startDemo(ctx context.Context, dir string, lab *laboratory.Desk, narrator *demo.Narrator) (*system.System, *viewer, error) {
	options, err := s.build(ctx, dir, narrator)
	if err != nil {
		return nil, nil, err
	}
	options.Env = map[string][]string{"bff-web": lab.Env()}
	for name, value := range worldInAHurry {
		if os.Getenv(name) == "" {
			options.Env["simulator"] = append(options.Env["simulator"], name+"="+value)
		}
	}
	viewer, err := s.openViewer(ctx, &options)
	if err != nil {
		return nil, nil, err
	}
	sys, err := system.Start(ctx, options)
	if taken, ok := errors.AsType[system.PortTaken](err); ok {
		narrator.Say("port %d is taken, so the gateway gets another one (GATEWAY_PORT chooses it)", taken.Port)
		options.GatewayPort = 0
		sys, err = system.Start(ctx, options)
	}
	if err != nil {
		viewer.close()
	}
	return sys, viewer, err
}

// freshFolder makes a folder for one demo and removes those of demos that were killed.
func freshFolder(parent string) (string, *os.File, error) {
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return "", nil, fmt.Errorf("folder for the demo: %w", err)
	}
	if err := removeKilledDemos(parent); err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp(parent, "demo-")
	if err != nil {
		return "", nil, fmt.Errorf("folder for the demo: %w", err)
	}
	lock, err := process.Lock(filepath.Join(dir, "lock"))
	return dir, lock, err
}

func removeKilledDemos(parent string) error {
	left, err := filepath.Glob(filepath.Join(parent, "demo-*"))
	if err != nil {
		return fmt.Errorf("folders of earlier demos: %w", err)
	}
	for _, dir := range left {
		if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // a demo that is starting at the same time may just have made it
		}
		if lock, err := process.Lock(filepath.Join(dir, "lock")); err == nil {
			_ = os.RemoveAll(dir) // the next demo tries again
			_ = lock.Close()
		}
	}
	return nil
}
