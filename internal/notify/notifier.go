package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
)

// Config is what a notifier needs. Log and Names are as in the other packages.
type Config struct {
	NC    *nats.Conn
	JS    jetstream.JetStream
	Names event.Names
	File  string // the rules file
	Dead  DeadLetters
	Open  func(*Rule) (Target, error) // nil: [Rule.OpenTarget]
	Log   *slog.Logger
}

// A Notifier runs the rules of a file.
type Notifier struct {
	Config
	metrics *metrics
	mistake string // why the last reload failed; "" if it did not

	mu      sync.Mutex
	running map[string]*running // by the rule's name
}

// running is a rule whose worker runs.
type running struct {
	rule   *Rule
	gauges *ruleMetrics
	stop   func() // stops the worker and waits for it
}

// New returns a notifier.
func New(c Config) *Notifier {
	if c.Open == nil {
		c.Open = (*Rule).OpenTarget
	}
	return &Notifier{Config: c, metrics: newMetrics(), running: map[string]*running{}}
}

// reloadInterval is how often the rules file is looked at. Its modification time is compared, because Kubernetes replaces a
// mounted ConfigMap by a symbolic link, which a watch of the file does not see.
const reloadInterval = 5 * time.Second

// Run runs the rules of the file until the context ends, and follows changes of the file. It returns an error if the file or a
// target is not valid at the start.
func (n *Notifier) Run(ctx context.Context) error {
	modified := n.modified()
	file, err := Load(n.File)
	if err != nil {
		return err
	}
	defer func() { stopAll(n.snapshot()) }()
	if err := n.apply(ctx, file); err != nil {
		return err
	}
	for pause.For(ctx, reloadInterval) == nil {
		n.countLetters(ctx)
		// A mistake may be outside of the file: a secret that does not exist yet.
		if now := n.modified(); !now.Equal(modified) || n.mistake != "" {
			modified = now
			n.reload(ctx)
		}
	}
	return nil
}

// modified returns the modification time of the rules file; zero if there is none.
func (n *Notifier) modified() time.Time {
	info, err := os.Stat(n.File)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// reload applies a changed file. After a mistake the previous rules stay in use.
func (n *Notifier) reload(ctx context.Context) {
	file, err := Load(n.File)
	if err == nil {
		err = n.apply(ctx, file)
	}
	if err != nil {
		n.metrics.reloadFailed.Set(1)
		if n.mistake != err.Error() {
			n.Log.Error("rules file has mistakes; the previous rules stay in use", "file", n.File, "error", err)
		}
		n.mistake = err.Error()
		return
	}
	n.mistake = ""
	n.metrics.reloadFailed.Set(0)
	n.Log.Info("rules reloaded", "file", n.File, "rules", len(file.Rules))
}

// apply makes the rules of a file the running ones. A rule that has not changed goes on; a changed one continues at its
// place. Nothing changes if a target cannot be opened.
func (n *Notifier) apply(ctx context.Context, file *File) error {
	targets := map[string]Target{}
	var errs []error
	for _, r := range file.Rules {
		t, err := n.Open(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.Name, err))
		}
		targets[r.Name] = t
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	before := n.snapshot()
	maps.DeleteFunc(before, func(name string, is *running) bool {
		wanted := file.Find(name)
		return wanted != nil && wanted.same(is.rule)
	})
	stopAll(before)
	for name := range before {
		n.remove(name)
		if file.Find(name) == nil {
			n.metrics.forget(name)
			n.Log.Warn("rule was removed; its consumer keeps its position until it is deleted", "rule", name, "consumer", ConsumerName(name))
		}
	}
	for _, r := range file.Rules {
		if n.snapshot()[r.Name] == nil {
			n.start(ctx, r, targets[r.Name])
		}
	}
	return nil
}

// same reports whether two rules do the same.
func (r *Rule) same(other *Rule) bool {
	return reflect.DeepEqual(r.RuleConfig, other.RuleConfig) && reflect.DeepEqual(r.to, other.to)
}

// start runs a rule.
func (n *Notifier) start(ctx context.Context, r *Rule, target Target) {
	ctx, cancel := context.WithCancel(ctx)
	w := &worker{Config: n.Config, rule: r, target: target, gauges: n.metrics.of(r.Name)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running[r.Name] = &running{rule: r, gauges: w.gauges, stop: func() { cancel(); <-done }}
	n.Log.Info("rule runs", "rule", r.Name, "filter", r.Filter.String(), "target", r.Target)
}

func (n *Notifier) snapshot() map[string]*running {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.running)
}

func (n *Notifier) remove(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.running, name)
}

// stopAll stops rules at the same time: each waits for its tries that have begun.
func stopAll(rules map[string]*running) {
	var all sync.WaitGroup
	for _, is := range rules {
		all.Go(is.stop)
	}
	all.Wait()
}

// countLetters sets the gauge of dead letters.
func (n *Notifier) countLetters(ctx context.Context) {
	if count, err := n.Dead.Count(ctx); err == nil {
		n.metrics.letters.Set(float64(count))
	}
}

// Ready returns why the notifier cannot send now; nil while the consumers of all rules can be read. A target that fails does
// not matter: its events wait.
func (n *Notifier) Ready() error {
	if !n.NC.IsConnected() {
		return errors.New("NATS is not connected")
	}
	all := n.snapshot()
	if len(all) == 0 {
		return errors.New("no rule runs yet")
	}
	var errs []error
	for _, is := range all {
		if err := is.gauges.err(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
