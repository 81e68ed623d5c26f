//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
)

// A program is an example that acts on a workflow's MK.IO. Each line of its output is judged as soon as it is printed.
type program struct {
	*bridgetest.Process
	t *testing.T

	mu    sync.Mutex
	lines []string      // judged
	next  chan struct{} // closed when the next line is judged
}

// program prepares an example; start starts it. judge is called with each line of its output.
func (w *workflow) program(dir, name string, judge func(line string), env []string, argv ...string) *program {
	w.t.Helper()
	process := newExample(w.t, name, argv, append([]string{"MKIO_TOKEN=" + programToken, "MKIO_URL=" + w.url, "NATS_URL=" + w.nats}, env...)...)
	process.Dir, process.Group = dir, true // a shell waits for what it started
	if err := process.SplitOutput(); err != nil {
		w.t.Fatal(err)
	}
	p := &program{Process: process, t: w.t, next: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); p.follow(ctx, judge) }()
	w.t.Cleanup(func() { cancel(); <-ended })
	return p
}

// follow judges the lines of the output until the context ends.
func (p *program) follow(ctx context.Context, judge func(line string)) {
	read := int64(0)
	for {
		var line string
		var err error
		if read, err = p.Output.Await(ctx, read, nil, func(l string) bool { line = l; return true }); err != nil {
			return
		}
		judge(line)
		p.mu.Lock()
		p.lines = append(p.lines, line)
		close(p.next)
		p.next = make(chan struct{})
		p.mu.Unlock()
	}
}

// shell prepares a shell command that needs curl and jq, and finds the program mkio-bridge.
func (w *workflow) shell(name string, judge func(line string), env []string, command string, args ...string) *program {
	w.t.Helper()
	for _, tool := range []string{"curl", "jq"} {
		needs(w.t, tool)
		find(w.t, tool, tool)
	}
	bin := w.t.TempDir()
	if err := os.Symlink(bridgetest.Program(w.t, bridgetest.BridgePackage), filepath.Join(bin, "mkio-bridge")); err != nil {
		w.t.Fatal(err)
	}
	env = append(append(w.bridge.Env(), "PATH="+bin+":"+os.Getenv("PATH")), env...)
	return w.program("", name, judge, env, append([]string{"/bin/sh", "-c", command}, args...)...)
}

// run starts the program.
func (p *program) run() {
	p.t.Helper()
	if err := p.Start(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// start starts the program, and waits until it logs that it has its consumer.
func (p *program) start() {
	p.t.Helper()
	p.run()
	if err := p.AwaitLine(p.t.Context(), func(line string) bool { return strings.Contains(line, "started") }); err != nil {
		p.t.Fatal(err)
	}
}

// await waits until a line that contains the text was printed and judged; false if the program ended before it printed one.
func (p *program) await(text string) bool {
	p.t.Helper()
	done, timeout := p.Done(), time.After(time.Minute)
	for {
		p.mu.Lock()
		next, all := p.next, strings.Join(p.lines, "\n")
		p.mu.Unlock()
		if strings.Contains(all, text) {
			return true
		}
		select {
		case <-next:
		case <-done:
			if done = nil; !strings.Contains(p.Output.String(), text) {
				return false
			}
		case <-timeout:
			p.t.Fatalf("%s did not print %q in a minute, but:\n%s", p.Name, text, all)
		}
	}
}

// play judges a line of a publisher: it is printed when the output can be played, so not before locator and endpoint are ready.
func (w *workflow) play(line string) { w.playAt(endpoint, line) }

// playAt is play for another endpoint.
func (w *workflow) playAt(endpoint lifecycle.Key, line string) {
	address, rest, _ := strings.Cut(line, " ")
	job := strings.TrimPrefix(address, "aurora-vod/ladder-hd/")
	now := w.Current()
	if state := now[endpoint].State; state != "Running" {
		w.t.Errorf("to be played while the endpoint is %s: %s", state, line)
	}
	if state := now[mkioKey(lifecycle.StreamingLocator, job+"-out")].State; state != "Created" {
		w.t.Errorf("to be played while its locator is %q: %s", state, line)
	}
	if !strings.Contains(rest, " https://ep-"+endpoint.Name()+".") || !strings.Contains(rest, "/manifest.ism/manifest(format=") {
		w.t.Errorf("no address: %s", line)
	}
}

// awaitPublished waits until a publisher has printed all addresses of a job; false if it ended before.
func (p *program) awaitPublished(job string) bool {
	p.t.Helper()
	return p.await("/"+job+" Hls ") && p.await("/"+job+" Dash ")
}
