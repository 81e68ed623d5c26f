//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
)

const finishedJobs = "mkio.job.*.*.*.finished"

// outageRules are the rules of mkio-bridge notify for an outage.
const outageRules = `
targets:
  receiver: {webhook: {urlEnv: NOTIFY_URL}}
rules:
  - name: outage
    filter: {kind: job, state: Finished}
    target: receiver
    from: all
    retry: {first: 1s, max: 4s, timeout: 1s}
`

func TestNotifySurvivesOutage(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(outageRules), 0o600); err != nil {
		t.Fatal(err)
	}
	checkSurvivesOutage(t, "notify-outage", func(_ exampleBridge, dead string) []string {
		return []string{bridgetest.Program(t, "mkio-bridge/cmd/bridge"), "notify", "--config", rules, "--listen", "127.0.0.1:0", "--failed-file", dead}
	})
}

func TestRedpandaConnectSurvivesOutage(t *testing.T) {
	runner := redpandaConnect(t)
	checkSurvivesOutage(t, "notify-connect", func(b exampleBridge, _ string) []string {
		_, err := b.js.CreateConsumer(t.Context(), "MKIO_EVENTS", jetstream.ConsumerConfig{
			Durable: "notify-connect", FilterSubject: finishedJobs, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 10 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return []string{runner, "run", bridgetest.RepositoryPath("examples/redpanda-connect/notify.yaml")}
	})
}

// redpandaConnect returns the path of Redpanda Connect: $REDPANDA_CONNECT, else the installed one, else one built with the
// pipeline's components, which takes minutes.
func redpandaConnect(t *testing.T) string {
	t.Helper()
	needs(t, "redpanda-connect")
	if path := os.Getenv("REDPANDA_CONNECT"); path != "" {
		return path
	}
	return findOrBuild(t, "redpanda-connect", "examples/redpanda-connect/testdata/runner", ".")
}

// checkSurvivesOutage runs a program that posts finished jobs to a receiver. The receiver is down, then overloaded, then up,
// and the program is killed and restarted meanwhile. Each job must be posted with the id of its event; the job that the
// receiver rejects permanently must be a dead letter.
func checkSurvivesOutage(t *testing.T, name string, argv func(b exampleBridge, dead string) []string) {
	t.Helper()
	b := startExampleBridge(t)
	r := newReceiver(t, "ep-refused")
	dead := filepath.Join(t.TempDir(), "dead-letters.jsonl")
	p := newExample(t, name, argv(b, dead), "NATS_URL="+b.url(), "BRIDGE_NATS_URL="+b.url(), "NOTIFY_URL="+r.url(), "NOTIFY_DEAD_LETTER_FILE="+dead)
	start := func() {
		t.Helper()
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.AwaitLine(t.Context(), func(line string) bool { return strings.Contains(line, "connection refused") }); err != nil {
			t.Fatal(err)
		}
	}
	jobs := []string{"ep-1", "ep-refused", "ep-2", "ep-3"}
	b.deliver("job-started.json", "ep-1") // does not match
	for _, job := range jobs[:2] {
		b.deliver("job-finished.finished.json", job)
	}

	start()
	b.deliver("job-finished.finished.json", jobs[2])
	p.Kill()
	start()
	r.open(3)
	bridgetest.Eventually(t, "the receiver has refused requests as overloaded", func() bool { busy, _ := r.state(); return busy == 0 })
	b.deliver("job-finished.finished.json", jobs[3])
	bridgetest.Eventually(t, "the receiver has each job", func() bool { _, messages := r.state(); return len(messages) >= len(jobs)-1 })
	b.awaitConsumer(name, "nothing pending", func(*jetstream.ConsumerInfo) bool { return true })
	if err := p.Terminate(); err != nil {
		t.Errorf("%s did not stop cleanly: %v", name, err)
	}

	ids := b.finished()
	_, messages := r.state()
	for _, job := range jobs {
		text, posted := messages[ids[job]]
		if posted == (job == "ep-refused") || posted && !strings.Contains(text, "job aurora-vod/ladder-hd/"+job+" is Finished") {
			t.Errorf("%s: posted %v: %q", job, posted, text)
		}
	}
	if len(messages) != len(jobs)-1 {
		t.Errorf("posted %v", messages)
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
		t.Error("there is no dead letter of the rejected job")
	}
	if strings.Contains(string(content), "hunter2") {
		t.Errorf("the dead letter contains the receiver's secret address: %s", content)
	}
}

// finished returns the ids of the events of finished jobs, by job.
func (b exampleBridge) finished() map[string]string {
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
