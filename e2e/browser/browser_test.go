// Package browser tests the web pages as people use them: in a real browser, through the gateway, with all programs
// running on a real PostgreSQL and a real RabbitMQ. It needs Chromium.
package browser

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/laboratory"
	"example.com/orderflow/local/system"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var pictures = flag.String("pictures", "", "a folder that gets pictures of the main pages")

// timeout is how long a page may take to show something. It is long because the machines are slow and shared.
const timeout = 60 * time.Second

// world is shared by all tests: a system with two replicas of each program, and a browser.
var world struct {
	*system.System
	browser context.Context
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	chromium := findBrowser()
	if chromium == "" {
		fmt.Println("skipped: there is no Chromium on this machine (apt-get install chromium)")
		return 0, nil
	}
	repo, err := system.FindRepo(".")
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "orderflow-browser-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only a temporary folder is left behind
	if err := os.Chmod(dir, 0o711); err != nil {
		return 1, err
	}
	desk, err := laboratory.Open(context.Background())
	if err != nil {
		return 1, err
	}
	defer desk.Close()
	binaries := filepath.Join(dir, "bin")
	if err := system.Build(context.Background(), repo, binaries); err != nil {
		return 1, err
	}
	world.System, err = system.Start(context.Background(), system.Options{
		Dir: filepath.Join(dir, "system"), Binaries: binaries,
		Replicas: system.Each(2),
		Env: map[string][]string{
			"simulator": {"CARRIER_PACE=1500ms", "SUPPLIER_LEAD_TIME=2s"}, // slow enough to be watched
			"gateway":   {"TRUSTED_PROXIES=127.0.0.1"},
			"bff-web":   desk.Env(),
		},
	})
	if err != nil {
		return 1, err
	}
	desk.Serve(world.System)
	defer func() {
		desk.Close() // before parts are stopped that it may be about to start
		err = errors.Join(err, world.Stop())
	}()
	browser, stop, err := startBrowser(chromium, filepath.Join(dir, "chromium"))
	if err != nil {
		return 1, err
	}
	defer stop()
	world.browser = browser
	return m.Run(), nil
}

func findBrowser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// startBrowser starts Chromium without a window and without features that connect to other hosts.
func startBrowser(path, profile string) (context.Context, func(), error) {
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(timeout),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP "+shopName+" 127.0.0.1"),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
	)
	browser, stopBrowser := chromedp.NewContext(allocator)
	stop := func() {
		stopBrowser()
		stopAllocator()
	}
	if err := chromedp.Do(browser); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return browser, stop, nil
}

const shopName = "shop.test" // resolved to this machine by the browser

const (
	wide  = 1280
	phone = 390
)

// tab is a window of a person with a browser of their own, which shares no cookies.
type tab struct {
	*testing.T
	ctx context.Context
	at  string // the address of the system

	mu       sync.Mutex
	problems []string // problems that its pages have reported on their console
}

// open opens a window. Problems that its pages report, such as violations of the content policy, fail the test.
func open(t *testing.T, width int64) *tab {
	t.Helper()
	stories.Look(t)
	ctx, closeWindow := chromedp.NewContext(world.browser, chromedp.WithNewBrowserContext())
	p := &tab{T: t, ctx: ctx, at: world.GatewayURL}
	if err := chromedp.Do(ctx); err != nil { // makes the window, which lives as long as ctx
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(width, 900))
	p.prefer("light")
	messages := chromedp.Console(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			p.mu.Lock()
			p.problems = append(p.problems, fmt.Sprintf("%s: %s %s", m.Type, m.Text, m.URL))
			p.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		if t.Failed() {
			p.show()
		}
		closeWindow()
		listening.Wait()
		for _, problem := range p.problems {
			t.Error(problem)
		}
	})
	return p
}

// forgive removes problems that a test has provoked: the browser reports each page with such a status.
func (p *tab) forgive(status string) {
	p.Helper()
	p.until("the browser has noted the status "+status, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		before := len(p.problems)
		p.problems = slices.DeleteFunc(p.problems, func(s string) bool { return strings.Contains(s, "status of "+status) })
		return len(p.problems) < before
	})
}

// prefer makes the browser ask for light or dark pages.
func (p *tab) prefer(scheme string) {
	p.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// withoutScript switches JavaScript off.
func (p *tab) withoutScript() {
	p.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}

// show logs what a failed test has seen.
func (p *tab) show() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 5*time.Second)
	defer cancel()
	where, _ := chromedp.Run(ctx, chromedp.Location()) // there may be no page
	text, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	p.Logf("at %s:\n%s", where, text)
}
