package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

// A fixture is a log on a real JetStream, in virtual time, and the targets of its rules.
type fixture struct {
	t       *testing.T
	server  brokertest.Server
	js      jetstream.JetStream
	log     bridgetest.Buffer
	dir     string
	targets map[string]*fakeTarget
	facts   map[lifecycle.Key]lifecycle.Fact
	last    process                                       // the one that was started last
	quiet   bool                                          // no log
	wrap    func(jetstream.JetStream) jetstream.JetStream // of the next notifier; nil: unchanged
}

// A process is a notifier that runs. kill closes its connection, so that nothing more of it reaches NATS.
type process struct{ kill func() }

// virtual runs a test in virtual time, with a log. Such tests do not run in parallel: nats.go shares a pool of timers within the
// process, and a timer made in one bubble must not be used in another.
func virtual(t *testing.T, test func(*fixture)) {
	t.Helper()
	release := brokertest.StartServerClock()
	defer func() { // also after a failure
		release()
		runtime.GC() // two garbage collections empty the pool of timers
		runtime.GC()
	}()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		test(f)
	})
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, server: brokertest.Start(t), dir: t.TempDir(), targets: map[string]*fakeTarget{"main": {}, "other": {}}, facts: map[lifecycle.Key]lifecycle.Fact{}}
	_, f.js = f.server.Connect()
	f.createStreams()
	return f
}

func (f *fixture) createStreams() {
	f.t.Helper()
	if err := streams.Ensure(f.t.Context(), f.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		f.t.Fatal(err)
	}
}

// rules writes the rules file. Lines begin after "rules:".
func (f *fixture) rules(text string) string {
	f.t.Helper()
	name := filepath.Join(f.dir, "rules.yaml")
	content := "targets:\n  main: {webhook: {url: \"https://hooks.invalid/x\"}}\n  other: {webhook: {url: \"https://other.invalid/x\"}}\nrules:\n" + text
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return name
}

// target returns the fake target of a name.
func (f *fixture) target(name string) *fakeTarget { return f.targets[name] }

// run starts a notifier with the rules file. stop ends it and waits.
func (f *fixture) run() (n *Notifier, stop func()) {
	f.t.Helper()
	nc, js := f.server.Connect()
	dead, err := OpenStream(f.t.Context(), js, names, StreamOptions{Create: true, Replicas: 1})
	if err != nil {
		f.t.Fatal(err)
	}
	if f.wrap != nil {
		js = f.wrap(js)
	}
	n = New(Config{
		NC: nc, JS: js, Names: names, File: filepath.Join(f.dir, "rules.yaml"), Dead: dead,
		Open: func(r *Rule) (Target, error) { return f.target(r.Target), f.target(r.Target).missing() },
		Log:  slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	if f.quiet {
		n.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			f.t.Errorf("the notifier ended: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done; nc.Close() })
	f.t.Cleanup(stop)
	f.last = process{kill: func() { nc.Close(); cancel() }}
	time.Sleep(time.Second) // virtual: the consumers exist
	return n, stop
}

// add appends the next event of a job to the log.
func (f *fixture) add(project, name, state string) {
	f.t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Job, project, "ladder", name)
	if err != nil {
		f.t.Fatal(err)
	}
	var previous *lifecycle.Fact
	if p, ok := f.facts[key]; ok {
		previous = &p
	}
	var m event.Message
	o := lifecycle.Observation{Key: key, State: state, Life: "1", At: time.Now(), Via: lifecycle.Poll, Source: "/x", Subject: "x"}
	if err := (event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}).Encode(&m, o, previous, time.Now()); err != nil {
		f.t.Fatal(err)
	}
	ack, err := f.js.PublishMsg(f.t.Context(), &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload})
	if err != nil {
		f.t.Fatal(err)
	}
	m.Fact.Sequence = ack.Sequence
	f.facts[key] = m.Fact
}

// letters returns the dead letters as "rule name: reason".
func (f *fixture) letters() (all []string) {
	f.t.Helper()
	dead, err := OpenStream(f.t.Context(), f.js, names, StreamOptions{Create: true, Replicas: 1})
	if err != nil {
		f.t.Fatal(err)
	}
	found, err := dead.List(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, l := range found {
		e, err := event.Decode(l.Event)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s: %s", l.Rule, e.Data.Name, e.Data.State, l.Reason))
	}
	return all
}

// errDown is the error of a target that is down.
var errDown = errors.New("connection refused")

// A fakeTarget takes messages as "name state" or, of a group, "name state ×count".
type fakeTarget struct {
	mu      sync.Mutex
	absent  error                                        // why it cannot be opened
	answer  func(ctx context.Context, sent string) error // nil: takes everything
	taken   []string
	times   []time.Time
	tries   int
	now, at int // sends in progress, and most of them at a time
}

func (f *fakeTarget) Send(ctx context.Context, m Message) error {
	var d event.Data
	if err := m.Event.DataAs(&d); err != nil {
		return &Permanent{err}
	}
	sent := d.Name + " " + d.State
	if m.Count > 1 {
		sent += fmt.Sprintf(" ×%d", m.Count)
	}
	f.mu.Lock()
	f.tries++
	f.now++
	f.at = max(f.at, f.now)
	answer := f.answer
	f.mu.Unlock()
	var err error
	if answer != nil {
		err = answer(ctx, sent)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	if err == nil {
		f.taken = append(f.taken, sent)
		f.times = append(f.times, time.Now())
	}
	return err
}

func (f *fakeTarget) missing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.absent
}

func (f *fakeTarget) setMissing(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.absent = err
}

// answers sets how the target answers.
func (f *fakeTarget) answers(answer func(ctx context.Context, sent string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// got returns what was taken.
func (f *fakeTarget) got() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.taken)
}

// want fails the test unless exactly these messages were taken, in any order of different resources.
func (f *fixture) want(target string, want ...string) {
	f.t.Helper()
	got := f.target(target).got()
	sorted := func(all []string) []string { return slices.Sorted(slices.Values(all)) }
	if !slices.Equal(sorted(got), sorted(want)) {
		f.t.Errorf("%s got %q, want %q\n%s", target, got, want, f.log.String())
	}
}

// wantOrder fails the test unless the messages of each resource came in the order of their states, each once.
func (f *fixture) wantOrder(target string, states []string, resources ...string) {
	f.t.Helper()
	byName := map[string][]string{}
	for _, sent := range f.target(target).got() {
		name, state, _ := strings.Cut(sent, " ")
		byName[name] = append(byName[name], state)
	}
	for _, name := range resources {
		if !slices.Equal(byName[name], states) {
			f.t.Errorf("%s got %s in the order %q, want %q", target, name, byName[name], states)
		}
	}
}
