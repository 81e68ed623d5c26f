package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const finishedJobs = "mkio.job.*.*.*.finished"

func TestNotifyThroughAnOutage(t *testing.T) {
	path := build(t, "..", "./examples/notify")
	throughAnOutage(t, "notify", func(b *bridge, dead string) []string {
		return []string{path, "-nats", b.nats, "-all", "-subject", finishedJobs, "-waits", "1s,1s,2s,4s,8s,16s,32s", "-timeout", "1s", "-dead-letter-file", dead}
	})
}

func TestRedpandaConnectThroughAnOutage(t *testing.T) {
	runner := redpandaConnect(t)
	throughAnOutage(t, "notify-connect", func(b *bridge, _ string) []string {
		_, err := b.js.CreateConsumer(t.Context(), "MKIO_EVENTS", jetstream.ConsumerConfig{
			Durable: "notify-connect", FilterSubject: finishedJobs, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 10 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return []string{runner, "run", "redpanda-connect/notify.yaml"}
	})
}

// redpandaConnect is the program that runs pipelines: the one that is named or installed, or else one that is built with
// the components that the pipeline uses.
func redpandaConnect(t *testing.T) string {
	t.Helper()
	short(t)
	switch path := os.Getenv("REDPANDA_CONNECT"); path {
	case "":
	case "none":
		t.Skip("REDPANDA_CONNECT is none: to build one takes minutes")
	default:
		return path
	}
	if path, err := exec.LookPath("redpanda-connect"); err == nil {
		return path
	}
	return build(t, "redpanda-connect/testdata/runner", ".")
}

// throughAnOutage runs a program that tells a receiver of finished jobs: while nobody listens, while it is killed and
// started again, while the receiver is overloaded, and when all is well. It checks that each job is told, with the id of
// its event, and that the one that the receiver refuses for good lies in the dead letters.
func throughAnOutage(t *testing.T, name string, argv func(b *bridge, dead string) []string) {
	t.Helper()
	b := startBridge(t)
	r := newReceiver(t, "ep-refused")
	dead := filepath.Join(t.TempDir(), "dead-letters.jsonl")
	env := append(os.Environ(), "NATS_URL="+b.nats, "NOTIFY_URL="+r.url(), "NOTIFY_DEAD_LETTER_FILE="+dead)
	args := argv(b, dead)
	jobs := []string{"ep-1", "ep-refused", "ep-2", "ep-3"}
	b.deliver("job-started.json", "ep-1") // does not match
	for _, job := range jobs[:2] {
		b.deliver("job-finished.finished.json", job)
	}

	first := startTeller(t, args, env)
	first.awaitLog("connection refused")
	b.deliver("job-finished.finished.json", jobs[2])
	first.kill()
	second := startTeller(t, args, env)
	second.awaitLog("connection refused")
	r.open(3)
	r.await("requests while it is busy", func() bool { return r.busy == 0 })
	b.deliver("job-finished.finished.json", jobs[3])
	r.await("each job", func() bool { return len(r.took) >= len(jobs)-1 })
	b.settled(name)
	second.stop()

	ids := b.finished()
	for _, job := range jobs {
		text, told := r.took[ids[job]]
		if told == (job == "ep-refused") || told && !strings.Contains(text, "job aurora-vod/ladder-hd/"+job+" is Finished") {
			t.Errorf("%s: told %v: %q", job, told, text)
		}
	}
	if len(r.took) != len(jobs)-1 {
		t.Errorf("told %v", r.took)
	}
	content, err := os.ReadFile(dead)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var l struct {
			ID, Reason string
			Event      struct{ ID string }
		}
		if err := json.Unmarshal(line, &l); err != nil || l.ID != ids["ep-refused"] || l.Event.ID != l.ID || !strings.Contains(l.Reason, "400") {
			t.Errorf("dead letter %s: %v", line, err)
		}
	}
	if len(content) == 0 {
		t.Error("the one that is refused is no dead letter")
	}
	if strings.Contains(string(content), "hunter2") {
		t.Errorf("the dead letter shows the receiver's address: %s", content)
	}
}

// settled waits until a consumer has nothing left.
func (b *bridge) settled(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	for ctx.Err() == nil {
		consumer, err := b.js.Consumer(ctx, "MKIO_EVENTS", name)
		if err != nil {
			b.t.Fatal(err)
		}
		if info := consumer.CachedInfo(); info.NumAckPending == 0 && info.NumPending == 0 {
			return
		}
	}
	b.t.Fatalf("%s has something left", name)
}

// finished returns the ids of the events that are to be told, by job.
func (b *bridge) finished() map[string]string {
	b.t.Helper()
	consumer, err := b.js.OrderedConsumer(b.t.Context(), "MKIO_EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{finishedJobs}})
	if err != nil {
		b.t.Fatal(err)
	}
	ids := map[string]string{}
	for range consumer.CachedInfo().NumPending {
		m, err := consumer.Next()
		if err != nil {
			b.t.Fatal(err)
		}
		var e struct {
			ID   string
			Data struct{ Name string }
		}
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			b.t.Fatal(err)
		}
		ids[e.Data.Name] = e.ID
	}
	return ids
}

// A teller is a running example that posts.
type teller struct {
	t       *testing.T
	command *exec.Cmd
	log     *lineLog
}

func startTeller(t *testing.T, args, env []string) *teller {
	t.Helper()
	p := &teller{t: t, command: exec.CommandContext(t.Context(), args[0], args[1:]...), log: &lineLog{more: make(chan struct{}, 1)}}
	p.command.Env, p.command.Stdout, p.command.Stderr = env, p.log, p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
		if t.Failed() {
			t.Log(p.log)
		}
	})
	return p
}

func (p *teller) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// stop ends it as an operator would.
func (p *teller) stop() {
	p.t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("%v did not stop well: %v", p.command.Args, err)
	}
}

func (p *teller) awaitLog(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), within)
	defer cancel()
	for !strings.Contains(p.log.String(), text) {
		select {
		case <-p.log.more:
		case <-ctx.Done():
			p.t.Fatalf("%v does not say %q", p.command.Args, text)
		}
	}
}

// A lineLog is what a program says while it runs.
type lineLog struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.b.Write(p)
}

func (l *lineLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
