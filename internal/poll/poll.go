package poll

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/tracing"
)

// A RuleReconciler updates the webhook rule of a project where it differs from the desired one, and returns how it stands, also
// with an error. It is called every Sweep.
type RuleReconciler func(ctx context.Context, project string) (event.LeaderRule, error)

// Config configures a Poller.
type Config struct {
	Client *mkio.Client

	// Views of the event log. One value may implement all of them.
	Observer  Observer
	Log       Log
	Heads     Heads
	Inventory Inventory
	Coverage  CoverageRecords

	Progress ProgressStore // nil: how far jobs are is not stored
	Leases   jetstream.KeyValue
	Notes    jetstream.KeyValue
	Instance string           // name of this bridge, for other bridges to show
	Projects []string         // none: every active project that the token can see
	Kinds    []lifecycle.Kind // to poll
	Active   time.Duration    // between two polls of a resource in motion
	Sweep    time.Duration    // between two delta sweeps of a list
	Full     time.Duration    // between two full sweeps of a list
	// DeletePatience is how long deletions wait for a second confirmation when too many are found at once; 0: they never wait.
	DeletePatience time.Duration
	Rule           string         // name of the webhook rule whose delivery history is read; "": none
	ReconcileRule  RuleReconciler // nil: this bridge does not manage the rule
	Adopt          bool           // the first MK.IO that responds for a project becomes the log's own, whatever is recorded
	// Advise returns what an operator should do about an error; nil: no advice. The errors are those of errors.go, of packages
	// mkio and identity, and of the network.
	Advise func(error) string
	Logger *slog.Logger
	Tracer tracing.Tracer
}

// A Poller polls the projects whose lease it gets.
//
// mu guards projects. The lock of unclaimed may be taken under it.
type Poller struct {
	Config
	metrics   *metrics
	identity  *identityRecord
	unclaimed unclaimedRechecks

	mu       sync.Mutex
	projects map[string]*project // those that this bridge polls now, by name
}

// New returns a poller. [Poller.Run] runs it.
func New(c Config) *Poller {
	p := &Poller{Config: c, metrics: newMetrics(), identity: newIdentityRecord(c), projects: map[string]*project{}}
	c.Client.CheckTokens(p.identity.admit)
	return p
}

// Collectors returns the poller's metrics.
func (p *Poller) Collectors() []prometheus.Collector {
	return append(p.metrics.collectors(), sweepAges{p}, leasesHeld{p}, p.sweepInterval())
}

// Run polls until the context ends, and waits for all that it started.
func (p *Poller) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	started := map[string]context.CancelFunc{}
	var warned time.Time
	var listing listingFailure
	selection := newProjectSelection(p, started)
	p.loadIdentity(ctx)
	for {
		warned = p.warnTokenExpiry(time.Now(), warned)
		projects, err := selection.list(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.metrics.failed("", "projects", err)
			p.Logger.Log(ctx, listing.level(err, time.Now(), p.Full), "cannot list projects; still polling known ones", "error", err, "do", p.advice(err))
		} else {
			listing = listingFailure{}
			for name, stop := range started {
				if !slices.Contains(projects, name) && selection.drop(ctx, name) {
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

// tokenWarningInterval is the time between two warnings that the API token expires.
const tokenWarningInterval = 12 * time.Hour

// warnTokenExpiry warns of a token that expires soon or has expired. It returns the time of the last warning.
func (p *Poller) warnTokenExpiry(now, warned time.Time) time.Time {
	end, ok := p.Client.TokenExpiry()
	if !ok || end.Sub(now) > mkio.TokenExpiresSoon || now.Sub(warned) < tokenWarningInterval {
		return warned
	}
	do := p.advice(&TokenExpiryError{At: end})
	if now.Before(end) {
		p.Logger.Warn("API token expires soon", "ends", end, "do", do)
	} else {
		p.Logger.Warn("API token has expired", "ends", end, "do", do)
	}
	return now
}

// loadIdentity reads the recorded identity of the log's MK.IO before the first request, so that a token of another organisation
// is refused from then on: a token that is exchanged later is compared before it is used.
func (p *Poller) loadIdentity(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := p.identity.read(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		p.Logger.Warn("recorded identity of MK.IO cannot be read; polling waits", "error", err)
		if pause.For(ctx, p.Sweep) != nil {
			return
		}
	}
}

// OnEvent is called with each event that any bridge records. A resource that the event puts in motion is polled from now on. An
// event of a webhook also brings delta sweeps forward: where one resource changed, others are likely to have changed.
func (p *Poller) OnEvent(key lifecycle.Key, fact lifecycle.Fact) {
	if project := p.project(key.Project); project != nil {
		project.onEvent(key, fact)
	}
}

// Recheck adds a resource to the recheck queue of its project: now if the project is polled here, else once it is.
func (p *Poller) Recheck(key lifecycle.Key) {
	p.mu.Lock()
	project := p.projects[key.Project]
	if project == nil {
		p.unclaimed.add(key, time.Now(), p.Full) // under the lock, so that addProject takes what was added before it
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

// addProject lets Recheck and OnEvent reach a project, and queues the rechecks that were waiting for it.
func (p *Poller) addProject(project *project) {
	p.mu.Lock()
	p.projects[project.name] = project
	waiting := p.unclaimed.take(project.name, time.Now(), p.Full)
	p.mu.Unlock()
	for _, key := range waiting {
		project.rechecks.add(key, lifecycle.Poll)
	}
}

// removeProject reverses addProject, and removes the project's metrics: the next holder of the lease exports them.
func (p *Poller) removeProject(project *project) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.projects, project.name)
	project.deletions.reset()
	p.metrics.forgetProject(project.name)
}

// Leads returns the projects that this bridge polls, ordered by name.
func (p *Poller) Leads() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := []string{}
	for name := range p.projects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
