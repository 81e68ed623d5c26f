//go:build e2e

// Package browser tests the web console in a real browser: Debian's chromium, driven by chromedp, against real bridges and the
// simulated MK.IO.
//
// One chromium serves the whole package. [open] gives a test a tab with cookies and storage of its own, at a width and a theme;
// the methods of [tab] wait, read, press keys and click as a person does. Every tab is watched (problems_test.go): at its end a
// test fails if the page logged an error, threw an exception that nothing caught, violated the content policy or requested
// anything from another host. [tab.axe] checks accessibility.
//
// What a test looks at is a bridge of its own ([startBridge], [startWithMKIO]) with what it makes happen there, or the bridge of
// mkio-bridge demo --console ([demo]) for tests that change nothing: all tests share it.
//
// Without chromium the tests skip, and fail where CI is set: go test -tags e2e ./test/browser
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"mkio-bridge/internal/bridgetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	shared.close()
	bridgetest.RemoveBuilds()
	os.Exit(code)
}

// shared is what the tests of the package use together.
var shared resources

// resources are started when a test first needs them.
type resources struct {
	mu      sync.Mutex
	browser context.Context // of chromedp
	console string          // of the demo; "": not started
	closing []func()
}

// beyondLoopback is a host name that the browser finds on this machine, and does not take for loopback.
const beyondLoopback = "bridge.example"

// chromium starts the browser, if no test has.
func (r *resources) chromium() (context.Context, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.browser != nil {
		return r.browser, nil
	}
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("host-resolver-rules", "MAP "+beyondLoopback+" 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), // no other host can be reached
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("font-render-hinting", "none"),
	)
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, endBrowser := chromedp.NewContext(allocator)
	r.closing = append(r.closing, endAllocator, endBrowser)
	if err := chromedp.Do(browser); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	r.browser = browser
	return browser, nil
}

func (r *resources) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.closing {
		r.closing[len(r.closing)-1-i]()
	}
}

// startDemo starts mkio-bridge demo --console, if no test has, and returns the URL of its console.
func (r *resources) startDemo(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.console != "" {
		return r.console, nil
	}
	program, err := bridgetest.Build(ctx, "", bridgetest.BridgePackage)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "mkio-bridge-browser-")
	if err != nil {
		return "", err
	}
	r.closing = append(r.closing, func() { _ = os.RemoveAll(dir) })
	process, err := bridgetest.NewProcess(dir, "demo", program, "demo", "--console")
	if err != nil {
		return "", err
	}
	process.SetEnv("TMPDIR=" + dir)
	r.closing = append(r.closing, process.Close)
	if err := process.Start(context.WithoutCancel(ctx)); err != nil {
		return "", err
	}
	err = process.AwaitLine(ctx, func(line string) bool { r.console = line; return true }) // the address is the first line
	return r.console, err
}

// findChromium returns the path of the browser.
func findChromium() (path string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", err
}

// needChromium skips a test on a machine without chromium, and fails it in continuous integration.
func needChromium(t *testing.T) {
	t.Helper()
	if _, err := findChromium(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no chromium: %v", err)
		}
		t.Skipf("no chromium: %v", err)
	}
}
