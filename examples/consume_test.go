package examples_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A consumer is an example that prints.
type consumer struct {
	t    *testing.T
	name string // of its durable consumer
	dir  string
	env  []string
	argv []string
}

func TestConsumeGo(t *testing.T) {
	path := build(t, "..", "./examples/consume-go")
	consumer{t: t, name: "consume-go", argv: []string{path}}.check("ladder-hd/", " Finished")
}

func TestConsumeNode(t *testing.T) {
	short(t)
	node, npm := find(t, "node"), find(t, "npm")
	dir := t.TempDir() // the packages are not to lie in the source
	for _, name := range []string{"consume.mjs", "package.json", ".npmrc"} {
		content, err := os.ReadFile(filepath.Join("consume-node", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), npm, "install", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	out, err := install.CombinedOutput()
	if err != nil && unreachable(out) {
		t.Skipf("npm cannot reach its registry: %s", out)
	}
	if err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "package-lock.json")); err == nil {
		t.Error("npm wrote a lock file")
	}
	consumer{t: t, name: "consume-node", dir: dir, argv: []string{node, "consume.mjs"}}.check("ladder-hd/", " Finished")
}

func TestConsumePython(t *testing.T) {
	short(t)
	python := find(t, "python3")
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import nats, cloudevents.core").CombinedOutput(); err != nil {
		t.Skipf("python3 has not what consume-python/requirements.txt names: %s", out)
	}
	consumer{t: t, name: "consume-python", dir: "consume-python", argv: []string{python, "consume.py"}}.check("ladder-hd/", " Finished")
}

func TestConsumeShell(t *testing.T) {
	short(t)
	find(t, "nats")
	// The tool looks for its settings at home: not for those of whoever runs this test.
	consumer{t: t, name: "consume-sh", env: []string{"HOME=" + t.TempDir(), "XDG_CONFIG_HOME="}, argv: []string{"/bin/sh", "consume.sh"}}.check(`"name":"`, `"state":"Finished"`)
}

func short(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("processes of their own")
	}
}

func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not on this machine", program)
	}
	return path
}

// check runs the consumer as a service is run: it prints what was there and what comes, each job that finished and
// nothing else, and after a restart what it missed.
func (c consumer) check(beforeName, state string) {
	t := c.t
	t.Helper()
	b := startBridge(t)
	c.env = append(c.env, "NATS_URL="+b.nats)
	expect := func(lines <-chan string, job string) {
		t.Helper()
		select {
		case line := <-lines:
			if !strings.Contains(line, beforeName+job) || !strings.Contains(line, state) {
				t.Fatalf("printed %q, want what %s says", line, job)
			}
		case <-time.After(within):
			t.Fatalf("%s is not printed", job)
		}
	}

	b.deliver("job-started.json", "ep-1")
	b.deliver("job-finished.finished.json", "ep-1")
	lines, stop := c.start()
	expect(lines, "ep-1")
	b.deliver("job-finished.error.json", "ep-2")
	b.deliver("job-finished.finished.json", "ep-3")
	expect(lines, "ep-3")
	b.acknowledged(c.name, 2)
	stop()

	b.deliver("job-finished.finished.json", "ep-4")
	lines, stop = c.start()
	expect(lines, "ep-4")
	b.acknowledged(c.name, 3)
	stop()
	if line, more := <-lines; more {
		t.Errorf("printed %q too", line)
	}
}

// start starts the example and returns what it prints. stop ends it as an operator would, with all that it started.
func (c consumer) start() (lines <-chan string, stop func()) {
	t := c.t
	t.Helper()
	command := exec.CommandContext(t.Context(), c.argv[0], c.argv[1:]...)
	command.Dir, command.Env, command.Stderr = c.dir, append(os.Environ(), c.env...), t.Output()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	printed, read := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(read)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			if scanner.Text() != "" {
				printed <- scanner.Text()
			}
		}
		close(printed)
	}()
	t.Cleanup(func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL); _ = command.Wait() })
	return printed, func() {
		t.Helper()
		if err := syscall.Kill(-command.Process.Pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-read
		if err := command.Wait(); err != nil && c.argv[0] != "/bin/sh" { // a shell ends by the signal
			t.Errorf("%v did not stop well: %v", c.argv, err)
		}
	}
}

// acknowledged waits until a consumer has acknowledged so many events, and no other is under way.
func (b *bridge) acknowledged(name string, events uint64) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	var info *jetstream.ConsumerInfo
	for ctx.Err() == nil {
		consumer, err := b.js.Consumer(ctx, "MKIO_EVENTS", name)
		if err != nil {
			b.t.Fatal(err)
		}
		if info = consumer.CachedInfo(); info.NumAckPending == 0 && info.AckFloor.Consumer == events && info.NumPending == 0 {
			return
		}
	}
	b.t.Fatalf("%s has not acknowledged %d events: %+v", name, events, info)
}
