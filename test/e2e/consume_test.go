//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
)

// A consumer is an example that prints a line for each job that finished.
type consumer struct {
	durable string // name of its durable consumer
	dir     string
	env     []string
	argv    []string
	shell   bool // the signal kills it: it has no exit code

	beforeName string // precedes the job's name on a line
	state      string // is anywhere on the line
}

func TestConsumeGo(t *testing.T) {
	path := bridgetest.Program(t, "mkio-bridge/examples/consume-go")
	consumer{durable: "consume-go", argv: []string{path}, beforeName: "ladder-hd/", state: " Finished"}.check(t)
}

func TestConsumeNode(t *testing.T) {
	needs(t, "node")
	node := find(t, "node", "node")
	dir := npmInstall(t, "examples/consume-node", "consume.mjs")
	consumer{durable: "consume-node", dir: dir, argv: []string{node, "consume.mjs"}, beforeName: "ladder-hd/", state: " Finished"}.check(t)
}

func TestConsumePython(t *testing.T) {
	needs(t, "python")
	python := find(t, "python", "python3")
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import nats, cloudevents.core").CombinedOutput(); err != nil {
		missing(t, "python", fmt.Sprintf("python3 lacks packages of examples/consume-python/requirements.txt: %s", out))
	}
	consumer{
		durable: "consume-python", dir: bridgetest.RepositoryPath("examples/consume-python"), argv: []string{python, "consume.py"},
		beforeName: "ladder-hd/", state: " Finished",
	}.check(t)
}

func TestConsumeShell(t *testing.T) {
	needs(t, "nats")
	nats := findOrBuild(t, "nats", "test/e2e/testdata/natscli", "github.com/nats-io/natscli/nats")
	bin := t.TempDir()
	if err := os.Symlink(nats, filepath.Join(bin, "nats")); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir() // keeps the tool from reading the developer's settings
	consumer{
		durable: "consume-sh", argv: []string{"/bin/sh", bridgetest.RepositoryPath("examples/consume.sh")}, shell: true,
		env:        []string{"HOME=" + home, "XDG_CONFIG_HOME=", "PATH=" + bin + ":" + os.Getenv("PATH")},
		beforeName: `"name":"`, state: `"state":"Finished"`,
	}.check(t)
}

// check runs the consumer as a service: it prints each finished job, stored before or after its start, and nothing else,
// and after a restart the jobs it missed.
func (c consumer) check(t *testing.T) {
	t.Helper()
	b := startExampleBridge(t)
	p := newExample(t, c.durable, c.argv, append(c.env, "NATS_URL="+b.url())...)
	p.Dir, p.Group = c.dir, true // a shell waits for what it started
	if err := p.SplitOutput(); err != nil {
		t.Fatal(err)
	}
	start := func() {
		t.Helper()
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	read := int64(0)
	expect := func(job string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var line string
		var err error
		read, err = p.Output.Await(ctx, read, p.Done(), func(text string) bool { line = text; return text != "" })
		if err != nil {
			t.Fatalf("%s is not printed: %v", job, err)
		}
		if !strings.Contains(line, c.beforeName+job) || !strings.Contains(line, c.state) {
			t.Fatalf("printed %q, want the event of %s", line, job)
		}
	}
	acknowledged := func(events uint64) {
		t.Helper()
		b.awaitConsumer(c.durable, fmt.Sprintf("acknowledged %d events", events), func(info *jetstream.ConsumerInfo) bool {
			return info.AckFloor.Consumer == events
		})
	}
	stop := func() {
		t.Helper()
		end := p.Terminate
		if c.shell {
			end = func() error { return p.Stop(syscall.SIGTERM, time.Minute) }
		}
		if err := end(); err != nil {
			t.Errorf("%v did not stop cleanly: %v", c.argv, err)
		}
	}

	b.deliver("job-started.json", "ep-1")
	b.deliver("job-finished.finished.json", "ep-1")
	start()
	expect("ep-1")
	b.deliver("job-finished.error.json", "ep-2")
	b.deliver("job-finished.finished.json", "ep-3")
	expect("ep-3")
	acknowledged(2)
	stop()

	b.deliver("job-finished.finished.json", "ep-4")
	start()
	expect("ep-4")
	acknowledged(3)
	stop()
	if more := strings.TrimSpace(p.Output.String()[read:]); more != "" {
		t.Errorf("printed more than the finished jobs: %q", more)
	}
}
