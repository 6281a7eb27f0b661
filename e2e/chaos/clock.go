package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/system"
)

// clocks can change the clock of each program while it runs. All processes of a machine have the same clock, so the programs
// are built with a time package that reads the error of its clock from a file, one for each replica.
type clocks struct{ dir string }

// clockStep is the error of a clock: longer than any lease, timeout and wait that programs compare with it.
const clockStep = 2 * time.Minute

// overlay replaces the time package.
func (c clocks) overlay(ctx context.Context) (overlay, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return nil, err
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), now) != 1 {
		return nil, errors.New("time.Now of this Go is another one: " + original)
	}
	changed := filepath.Join(c.dir, "time.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), now, now+"\tsec += moved.Load()\n", 1)), 0o600); err != nil {
		return nil, err
	}
	addition, err := filepath.Abs(filepath.Join("testdata", "clock", "moved.go"))
	return overlay{
		original: changed,
		filepath.Join(filepath.Dir(original), "moved.go"): addition,
	}, err
}

// amend tells a replica where its clock's error is. A replica is identified by its port.
func (c clocks) amend(env []string) []string {
	for _, setting := range env {
		if address, ok := strings.CutPrefix(setting, "HTTP_ADDR="); ok {
			env = append(env, "CLOCK="+c.file(address))
		}
	}
	return env
}

func (c clocks) file(address string) string {
	return filepath.Join(c.dir, "clock-"+address[strings.LastIndex(address, ":")+1:])
}

// move sets the error of a part's clock; 0: none.
func (c clocks) move(p *system.Part, by time.Duration) error {
	address, err := url.Parse(p.URL)
	if err != nil {
		return err
	}
	file := c.file(address.Host)
	if err := os.WriteFile(file+"~", []byte(strconv.Itoa(int(by.Seconds()))), 0o600); err != nil {
		return err
	}
	return os.Rename(file+"~", file) // it is read at any moment
}

// moveClock makes the clock of a part two minutes fast or slow. The Date header of its answers shows it.
func (t target) moveClock(ctx context.Context, f Fault) (heal, error) {
	set := func(ctx context.Context, by time.Duration) error {
		return t.each(f.Victim, func(p *system.Part) error {
			if err := t.clocks.move(p, by); err != nil {
				return err
			}
			return until(ctx, fmt.Sprintf("the clock of %s is wrong by %s", p.Name, by), func() (bool, error) {
				wrong, err := clockOf(ctx, p)
				return (wrong - by).Abs() < clockStep/4, err
			})
		})
	}
	by := clockStep
	if f.Kind == Behind {
		by = -by
	}
	return func(ctx context.Context) error { return set(ctx, 0) }, set(ctx, by)
}

// clockOf is the error of a part's clock, within a second or so.
func clockOf(ctx context.Context, p *system.Part) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/livez", nil)
	if err != nil {
		return 0, err
	}
	response, err := direct.Client.Do(request)
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close() // only the header is needed
	date, err := http.ParseTime(response.Header.Get("Date"))
	return time.Until(date), err
}
