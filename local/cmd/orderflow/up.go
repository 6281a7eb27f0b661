package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"example.com/orderflow/local/process"
)

// up starts a supervisor in a session of its own, where neither Ctrl-C nor the end of this terminal reaches it, and
// shows its output until the system is ready.
func up(ctx context.Context, s settings) error {
	if r, err := ask(ctx, s); err == nil {
		if !r.Ready {
			return errors.New("the system is about to start or to stop already")
		}
		fmt.Printf("Orderflow runs already, at %s\n", browserURL(r.Gateway))
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	path := filepath.Join(s.dir, "logs", "supervisor.log")
	log, err := process.OpenLog(path)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child has its own copy
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("read the supervisor's log: %w", err)
	}
	supervisor := exec.CommandContext(context.WithoutCancel(ctx), self, "run")
	supervisor.Stdout, supervisor.Stderr = log, log
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := supervisor.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = supervisor.Wait() // its log has the reason
		close(ended)
	}()

	for {
		from = show(path, from)
		select {
		case <-ended:
			show(path, from)
			return exitCode(1)
		case <-ctx.Done():
			_ = supervisor.Process.Signal(syscall.SIGTERM) // an error means that it has ended
			<-ended
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if r, err := ask(ctx, s); err == nil && r.Ready {
			show(path, from)
			return nil
		}
	}
}

// show prints what has been added to a file and returns the new offset.
func show(path string, from int64) int64 {
	file, err := os.Open(path)
	if err != nil {
		return from
	}
	defer file.Close() //nolint:errcheck // only read
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return from
	}
	shown, _ := io.Copy(os.Stdout, file) // a text that could not be printed is still in the file
	return from + shown
}

// down ends the system that up started and returns when it is gone.
func down(ctx context.Context, s settings) error {
	if _, err := visit(ctx, s.dir, http.MethodPost, "/down", nil); errors.Is(err, errNotRunning) {
		fmt.Println("the system does not run")
		return nil
	} else if err != nil {
		return err
	}
	for {
		lock, err := process.Lock(filepath.Join(s.dir, "lock")) // the supervisor holds it to its end
		if err == nil {
			fmt.Println("the system is down; its data is kept in", s.dir)
			return lock.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func status(ctx context.Context, s settings) error {
	r, err := ask(ctx, s)
	if err != nil {
		return err
	}
	if !r.Ready {
		fmt.Println("the system is about to start or to stop")
		return nil
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range r.Parts {
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.Name, p.State, withoutPassword(p.URL))
	}
	return table.Flush()
}

func ask(ctx context.Context, s settings) (report, error) {
	answer, err := visit(ctx, s.dir, http.MethodGet, "/status", nil)
	if err != nil {
		return report{}, err
	}
	var r report
	if err := json.Unmarshal(answer, &r); err != nil {
		return report{}, fmt.Errorf("ask the supervisor: %w", err)
	}
	return r, nil
}

// tellSupervisor stops or starts a part of the running system.
func tellSupervisor(ctx context.Context, s settings, command, name string) error {
	answer, err := visit(ctx, s.dir, http.MethodPost, "/"+command, url.Values{"name": {name}})
	fmt.Print(string(answer))
	return err
}

// logs shows the logs of a part, even if the system does not run.
func logs(s settings, args []string) error {
	tail := []string{"tail", "-n", "100"}
	if len(args) > 0 && args[0] == "-f" {
		tail, args = append(tail, "-f"), args[1:]
	}
	if len(args) != 1 {
		return errors.New("logs of what? a program, a replica such as orders-2, postgres, rabbitmq or supervisor")
	}
	var files []string
	for _, pattern := range []string{"logs/" + args[0] + "-[0-9]*.log", "logs/" + args[0] + ".log", args[0] + "/" + args[0] + ".log"} {
		found, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			return fmt.Errorf("logs of %s: %w", args[0], err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no log of %q in %s", args[0], s.dir)
	}
	program, err := exec.LookPath(tail[0])
	if err != nil {
		return fmt.Errorf("show %s: %w", strings.Join(files, ", "), err)
	}
	return syscall.Exec(program, append(tail, files...), os.Environ())
}

// browserURL is an address of this machine as people write it.
func browserURL(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }

func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}
