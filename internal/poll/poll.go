package poll

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/tracing"
)

// A RuleReconciler makes the webhook rule of a project what it must be, where it is not. It is called again and again.
type RuleReconciler func(ctx context.Context, project string) error

// Config is what a poller needs to know.
type Config struct {
	Client *mkio.Client

	// The event log. One value may be all of these.
	Observer  Observer
	Log       Log
	Heads     Heads
	Inventory Inventory
	Coverage  CoverageRecords

	Leases   jetstream.KeyValue
	Notes    jetstream.KeyValue
	Projects []string         // none: every active project that the token can see
	Kinds    []lifecycle.Kind // to poll
	Active   time.Duration    // between two looks at a resource in motion
	Sweep    time.Duration    // between two questions for what changed
	Full     time.Duration    // between two full sweeps
	// DeletePatience is how long deletions that are too many at once wait to be confirmed again; 0: they do not.
	DeletePatience time.Duration
	Rule           string         // the webhook rule whose delivery history is looked through
	ReconcileRule  RuleReconciler // nil: the rule is somebody else's business
	Adopt          bool           // what answers first for each project becomes the log's own, whatever is recorded
	// Advise says what to do about an error, in the words of whoever configured the poller; nil: nobody does. See errors.go
	// for those of this package; others are of packages mkio, identity and of the network.
	Advise func(error) string
	Logger *slog.Logger
	Tracer tracing.Tracer
}

// A Poller polls the projects whose lease it gets.
//
// mu guards projects; under it unclaimed is asked.
type Poller struct {
	Config
	metrics   *metrics
	identity  *identityRecord
	unclaimed unclaimedRechecks

	mu       sync.Mutex
	projects map[string]*project // those that are polled here now
}

// New returns a poller. [Poller.Run] runs it.
func New(c Config) *Poller {
	p := &Poller{Config: c, metrics: newMetrics(), identity: newIdentityRecord(c), projects: map[string]*project{}}
	c.Client.Admit(p.identity.admit)
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
	var listing listingFailure
	p.loadIdentity(ctx)
	for {
		warned = p.warnTokenExpiry(time.Now(), warned)
		projects, err := p.projectsToPoll(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.metrics.failed("", "projects", err)
			p.Logger.Log(ctx, listing.level(err, time.Now(), p.Full), "MK.IO does not tell all its projects; those that are known are polled on", "error", err, "do", p.advice(err))
		} else {
			listing = listingFailure{}
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
				projectCtx, stop := context.WithCancel(ctx)
				started[name] = stop
				running.Go(func() { p.pollWhenLeased(projectCtx, name) })
			}
		}
		if pause.For(ctx, p.Sweep) != nil {
			return
		}
	}
}

// warnEvery is how often it is said that a token ends soon.
const tokenWarningInterval = 12 * time.Hour

// warnOfToken warns of a token that ends soon, now and then, and returns when it last did.
func (p *Poller) warnTokenExpiry(now, warned time.Time) time.Time {
	end, ok := p.Client.TokenEnd()
	if !ok || end.Sub(now) > mkio.TokenSoon || now.Sub(warned) < tokenWarningInterval {
		return warned
	}
	err := &TokenEndsError{At: end}
	p.Logger.Warn("the API token ends soon, or has ended", "ends", end, "do", p.advice(err))
	return now
}

// loadIdentity reads which MK.IO the log is of, before MK.IO is asked anything, and has tokens of another organisation refused
// from then on: one that is exchanged is compared before the first request with it.
func (p *Poller) loadIdentity(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := p.identity.read(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		p.Logger.Warn("the identity of the log's MK.IO cannot be read; polling waits for it", "error", err)
		if pause.For(ctx, p.Sweep) != nil {
			return
		}
	}
}

// compareListed compares the projects that are polled here with those that MK.IO listed. A stored copy tells nothing of now.
func (p *Poller) checkListedProjects(ctx context.Context, listed []mkio.Project) {
	organisation := p.Client.Organisation()
	for _, l := range listed {
		if project := p.project(l.Name); project != nil && l.ID != "" && !l.Moment.Stored {
			_ = project.identity.compare(ctx, organisation, l.ID) // its own errands go by what it concluded
		}
	}
}

// wanted returns the projects to poll; with an error, those that are known to be wanted.
func (p *Poller) projectsToPoll(ctx context.Context) ([]string, error) {
	if len(p.Projects) > 0 {
		return p.Projects, nil
	}
	all, err := p.Client.Projects(ctx)
	p.checkListedProjects(ctx, all)
	return mkio.ActiveProjects(all), err
}

// OnEvent is called with each event that any bridge records. A resource that is in motion by it is polled from now on. An event of
// a webhook also brings delta sweeps forward: where one resource changed, others are likely to have changed.
func (p *Poller) OnEvent(key lifecycle.Key, fact lifecycle.Fact) {
	if project := p.project(key.Project); project != nil {
		project.onEvent(key, fact)
	}
}

// Ask adds a resource to the recheck queue of its project: now if the project is polled here, else once it is.
func (p *Poller) Recheck(key lifecycle.Key) {
	p.mu.Lock()
	project := p.projects[key.Project]
	if project == nil {
		p.unclaimed.add(key, time.Now(), p.Full) // under the lock: enter takes what was added before
	}
	p.mu.Unlock()
	if project != nil {
		project.rechecks.add(key, lifecycle.Poll)
	}
}

func (p *Poller) project(name string) *project {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.projects[name]
}

func (p *Poller) addProject(project *project) {
	p.mu.Lock()
	p.projects[project.name] = project
	waiting := p.unclaimed.take(project.name, time.Now(), p.Full)
	p.mu.Unlock()
	for _, key := range waiting {
		project.rechecks.add(key, lifecycle.Poll)
	}
}

func (p *Poller) removeProject(project *project) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.projects, project.name)
	project.deletions.reset()
	p.metrics.forgetProject(project.name)
}
