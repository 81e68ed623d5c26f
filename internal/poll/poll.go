package poll

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// An Observer makes of an observation the resource's next event, or none.
type Observer interface {
	// Compare says what Observe would make of an observation, by memory alone: a sweep compares many, and most are no
	// news. Its news is a question to Observe, not an answer. current is false where the recorded state of the resource
	// token is not the one that the observation rests on.
	Compare(resource string, o lifecycle.Observation) (verdict lifecycle.Verdict, current bool)
	// Observe records the event. An error says that the log cannot take it now; to observe it again is safe.
	Observe(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// A Log is the event log as a poller needs it: it follows what any bridge records.
type Log interface {
	Observer
	// Recorded returns a resource's last event, false where there is none. Last returns that of a resource token, nil
	// where there is none.
	Recorded(key lifecycle.Key) (lifecycle.Fact, bool)
	Last(resource string) *lifecycle.Fact
	// Trouble says why the log cannot take anything now; nil when it can.
	Trouble() error
	// Epoch changes when the log turned out to be another one, or to have lost its end: what was compared with it
	// before counts no more.
	Epoch() uint64
	// Horizon is the highest sequence that the log is known to have.
	Horizon() uint64
	// Resources returns the last events of a kind and project by resource token, Moving those of
	// resources that move on by themselves, Tokens the tokens alone, Count how many there are.
	Resources(kind lifecycle.Kind, project string) map[string]lifecycle.Fact
	Moving(kind lifecycle.Kind, project string) map[string]lifecycle.Fact
	Tokens(kind lifecycle.Kind, project string) []string
	Count(kind lifecycle.Kind, project string) int
	// Token returns a resource's token, KeyOf the resource of a token.
	Token(key lifecycle.Key) string
	KeyOf(ctx context.Context, resource string) (lifecycle.Key, error)
	// Prove keeps a record of what was compared with MK.IO, Proven returns the last one of a kind; false where there is none.
	Prove(ctx context.Context, c event.Coverage) error
	Proven(ctx context.Context, project string, kind lifecycle.Kind) (event.Coverage, bool, error)
}

// A RuleKeeper makes the webhook rule of a project what it must be, where it is not. It is called again and again.
type RuleKeeper func(ctx context.Context, project string) error

// Config is what a poller needs to know.
type Config struct {
	Client   *mkio.Client
	Log      Log
	Leases   jetstream.KeyValue
	Notes    jetstream.KeyValue
	Projects []string         // none: every active project that the token can see
	Kinds    []lifecycle.Kind // to poll
	Active   time.Duration    // between two looks at a resource in motion
	Sweep    time.Duration    // between two questions for what changed
	Full     time.Duration    // between two full sweeps
	// DeletePatience is how long deletions that are too many at once wait to be confirmed again; 0: they do not.
	DeletePatience time.Duration
	Rule           string     // the webhook rule whose delivery history is looked through
	KeepRule       RuleKeeper // nil: the rule is somebody else's business
	Adopt          bool       // what answers first for each project is the log's own, whatever is recorded
	// Advise says what to do about an error, in the words of whoever configured the poller; nil: nobody does. See errors.go
	// for those of this package; others are of packages mkio, identity and of the network.
	Advise func(error) string
	Logger *slog.Logger
	Tracer tracing.Tracer
}

// A Poller polls the projects whose lease it gets.
type Poller struct {
	Config
	metrics    *metrics
	identities identity.Store
	address    string                        // of the API, as identities have it
	recorded   atomic.Pointer[identity.Note] // as it was last read; nil: it was not yet
	unclaimed  unclaimed

	mu       sync.Mutex
	projects map[string]*project       // those that are polled here now
	adopted  map[string]bool           // projects that [Config.Adopt] has counted for
	known    map[string]identity.Found // by name, what answered and is the log's own
}

// New returns a poller. [Poller.Run] runs it.
func New(c Config) *Poller {
	p := &Poller{
		Config: c, metrics: newMetrics(), projects: map[string]*project{}, adopted: map[string]bool{}, known: map[string]identity.Found{},
		identities: identity.NewStore(c.Notes), address: identity.Address(c.Client.Address()),
	}
	c.Client.Admit(p.admit)
	return p
}

// Collectors returns the poller's metrics.
func (p *Poller) Collectors() []prometheus.Collector {
	return append(p.metrics.collectors(), sweepAges{p}, leasesHeld{p}, p.sweepInterval())
}

// Run polls until the context ends, and waits for what is under way.
func (p *Poller) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	started := map[string]context.CancelFunc{}
	var warned time.Time
	var listing unlisted
	p.loadIdentity(ctx)
	for {
		warned = p.warnOfToken(time.Now(), warned)
		projects, err := p.wanted(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.metrics.failed("", "projects", err)
			p.Logger.Log(ctx, listing.level(err, time.Now(), p.Full), "MK.IO does not tell all its projects; those that are known are polled on", "error", err, "do", p.advice(err))
		} else {
			listing = unlisted{}
			for name, stop := range started {
				if !slices.Contains(projects, name) {
					p.Logger.Warn("the project is not among MK.IO's active projects any more and is polled no longer", "project", name)
					stop()
					delete(started, name)
				}
			}
		}
		for _, name := range projects {
			if started[name] == nil {
				within, stop := context.WithCancel(ctx)
				started[name] = stop
				running.Go(func() { p.hold(within, name) })
			}
		}
		if pause(ctx, p.Sweep) != nil {
			return
		}
	}
}

// warnEvery is how often it is said that a token ends soon.
const warnEvery = 12 * time.Hour

// warnOfToken warns of a token that ends soon, now and then, and returns when it last did.
func (p *Poller) warnOfToken(now, warned time.Time) time.Time {
	end, ok := p.Client.TokenEnd()
	if !ok || end.Sub(now) > mkio.TokenSoon || now.Sub(warned) < warnEvery {
		return warned
	}
	err := &TokenEndsError{At: end}
	p.Logger.Warn(err.Error(), "ends", end, "do", p.advice(err))
	return now
}

// wanted returns the projects to poll; with an error, those that are known to be wanted.
func (p *Poller) wanted(ctx context.Context) ([]string, error) {
	if len(p.Projects) > 0 {
		return p.Projects, nil
	}
	all, err := p.Client.Projects(ctx)
	p.compareListed(ctx, all)
	return mkio.ActiveProjects(all), err
}

// Told hears of each event that any bridge records. What it put in motion is looked at from now on, and one
// that a webhook told nudges the poller: where one thing changed, others are likely to have.
func (p *Poller) Told(key lifecycle.Key, fact lifecycle.Fact) {
	project := p.project(key.Project)
	if project == nil {
		return
	}
	project.patience.recorded(key, fact)
	switch {
	case fact.Delivery != "":
		project.nudge(key)
	default:
		project.rouse()
	}
}

// Ask has a resource looked at as soon as the budget allows: at once where its project is polled here, else when it will be.
func (p *Poller) Ask(key lifecycle.Key) {
	p.mu.Lock()
	project := p.projects[key.Project]
	if project == nil {
		p.unclaimed.add(key, time.Now(), p.Full) // under the lock: enter takes what was added before
	}
	p.mu.Unlock()
	if project != nil {
		project.ask(key, lifecycle.Poll)
	}
}

func (p *Poller) project(name string) *project {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.projects[name]
}

func (p *Poller) enter(project *project) {
	p.mu.Lock()
	p.projects[project.name] = project
	waiting := p.unclaimed.take(project.name, time.Now(), p.Full)
	p.mu.Unlock()
	for _, key := range waiting {
		project.ask(key, lifecycle.Poll)
	}
}

func (p *Poller) leave(project *project) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.projects, project.name)
	project.patience.forget()
	p.metrics.left(project.name)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
