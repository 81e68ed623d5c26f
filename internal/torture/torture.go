package torture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/oracle"
)

// Config configures a run.
type Config struct {
	Seed      uint64
	For       time.Duration // how long faults are injected, without healing and checking
	MaxFaults int           // ends the faults before that; 0: no limit
	Embedded  bool          // one bridge with an embedded server, instead of a cluster
	Bridges   int           // on a cluster
	Resources int           // approximate number of resources at a time
	Faults    []string      // words in the names of the faults to inject; none: all
	Clocks    bool          // step clocks too, which requires rebuilding the programs
	Sabotage  string        // bug to put into the bridge; "": none
	Dir       string        // for stores and logs
	Log       *slog.Logger  // of the harness
}

// A world is all processes and links of a run.
type world struct {
	config  Config
	fake    *mkiofake.MKIO
	api     *link // to MK.IO
	server  *http.Server
	sender  *sender
	bridges []*bridge
	cluster *Cluster // nil if embedded
	store   string   // of the embedded server
	disk    *disk    // of store; nil: the machine's disk
	reader  *nats.Conn
	js      jetstream.JetStream
	names   event.Names
	// addresses are those of the processes, which listen on them again after a restart.
	addresses *bridgetest.Addresses

	processCtx context.Context // ends all processes
	mu         sync.Mutex
	rng        *rand.Rand
	report     *Report
	simulation sync.WaitGroup // goroutines of MK.IO
	// notesLost is set when the bucket mkio_bridge was deleted. A running bridge writes its note again. If the bridge was
	// killed just then, nothing records which MK.IO the log belongs to, and an operator has to state it.
	notesLost atomic.Bool
	unready   atomic.Value // the last readiness error
}

// Run injects faults and checks the log. Its error is a failure of the harness; violations by the bridges are in the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	processCtx, end := context.WithCancel(ctx)
	defer end()
	w := &world{
		config: c, processCtx: processCtx, names: event.NewNames(event.DefaultPrefix), rng: rand.New(rand.NewPCG(c.Seed, 1)),
		report: newReport(c),
	}
	defer w.close(end)
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	w.simulation.Go(func() { w.logProgress(processCtx) })
	if err := w.torture(ctx); err != nil {
		return nil, err
	}
	if err := w.judge(ctx); err != nil {
		return nil, err
	}
	return w.report, nil
}

// open builds the programs and starts everything.
func (w *world) open(ctx context.Context) error {
	if err := os.MkdirAll(w.config.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if w.addresses, err = bridgetest.NewAddresses(); err != nil {
		return err
	}
	bridgeProgram, err := w.build(ctx, bridgetest.BridgePackage)
	if err != nil {
		return err
	}
	if err := w.openMKIO(ctx); err != nil {
		return err
	}
	if w.config.Embedded {
		return w.openEmbedded(ctx, bridgeProgram)
	}
	serverProgram, err := w.build(ctx, bridgetest.NATSPackage)
	if err != nil {
		return err
	}
	if w.cluster, err = NewCluster(ctx, w.config.Dir, serverProgram, w.addresses, 3); err != nil {
		return err
	}
	w.js = w.cluster.JS
	for i := range w.config.Bridges {
		if err := w.openBridge(ctx, bridgeProgram, fmt.Sprint("b", i+1)); err != nil {
			return err
		}
	}
	if err := w.awaitReady(ctx, 2*time.Minute); err != nil {
		return err
	}
	return w.raiseUnappliedLimit(ctx)
}

// raiseUnappliedLimit raises the size limit of MKIO_UNAPPLIED: half an hour of faults stores as much as a year elsewhere.
func (w *world) raiseUnappliedLimit(ctx context.Context) error {
	s, err := w.js.Stream(ctx, unappliedStream)
	if err != nil {
		return err
	}
	c := s.CachedInfo().Config
	c.MaxBytes = 8 << 30
	return w.updateStream(ctx, c)
}

func (w *world) build(ctx context.Context, pkg string) (string, error) {
	o := overlay{}
	if w.config.Sabotage != "" && pkg == bridgetest.BridgePackage {
		if err := o.sabotage(ctx, w.config.Sabotage); err != nil {
			return "", err
		}
	}
	return build(ctx, w.config.Dir, pkg, o, w.config.Clocks)
}

// openMKIO starts the simulated MK.IO and its API. Two rules of each project deliver to the same bridges, as if one had been
// forgotten.
func (w *world) openMKIO(ctx context.Context) error {
	faults := mkiofake.Rude
	faults.Repeat, faults.RepeatBy = 1, 2*time.Minute
	faults.Late, faults.LateBy = 0.03, 2*time.Minute
	w.sender = newSender(w.config.Seed, 0.3)
	w.sender.oracle.OtherClocks = w.config.Clocks
	w.fake = mkiofake.New(mkiofake.Config{
		Seed: w.config.Seed, Token: apiToken, Faults: faults, Speed: speed, ReadLimit: -1, MaxInFlight: 256, Transport: w.sender,
	})
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		for _, rule := range []string{"mkio-bridge", "forgotten"} {
			w.fake.PutRule(project, rule, mkiofake.Rule{
				URL: "http://bridge.test/webhooks/mkio", Events: mkio.Types(), SecretHeaders: map[string]string{"X-Webhook-Secret": webhookSecret},
			})
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.server = &http.Server{Handler: w.fake, ReadHeaderTimeout: 10 * time.Second}
	w.simulation.Go(func() { _ = w.server.Serve(listener) })
	w.simulation.Go(func() { _ = w.fake.Run(w.processCtx) })
	w.api, err = newLink(ctx, listener.Addr().String())
	return err
}

// openBridge starts a bridge on the cluster.
func (w *world) openBridge(ctx context.Context, program, name string) error {
	b, err := newBridge(ctx, w, program, name)
	if err != nil {
		return err
	}
	w.bridges = append(w.bridges, b)
	w.sender.bridges = w.bridges
	if err := w.cluster.auth.writeCredentials(b.creds, time.Time{}); err != nil {
		return err
	}
	if err := b.openLinks(ctx, w.cluster.Servers, len(w.cluster.Servers)); err != nil {
		return err
	}
	b.configure(0)
	if err := b.Start(w.processCtx); err != nil {
		return err
	}
	b.run(w.processCtx)
	return nil
}

// openEmbedded starts one bridge with an embedded server, on its own disk if mounting is permitted.
func (w *world) openEmbedded(ctx context.Context, program string) error {
	b, err := newBridge(ctx, w, program, "b1")
	if err != nil {
		return err
	}
	w.bridges, w.sender.bridges = []*bridge{b}, []*bridge{b}
	volume := filepath.Join(w.config.Dir, "volume")
	w.store = filepath.Join(volume, "store")
	if w.disk, err = mountDisk(volume); err != nil {
		w.disk = nil
	}
	readers, err := w.addresses.Next()
	if err != nil {
		return err
	}
	b.env = append(b.env, "BRIDGE_STORE_DIR="+w.store, "BRIDGE_NATS_LISTEN="+readers)
	b.configure(0)
	if err := b.Start(w.processCtx); err != nil {
		return err
	}
	b.run(w.processCtx)
	if err := w.awaitReady(ctx, time.Minute); err != nil {
		return err
	}
	w.reader, err = nats.Connect("nats://"+readers, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	w.js, err = jetstream.New(w.reader)
	return err
}

// awaitReady waits until every bridge is ready.
func (w *world) awaitReady(ctx context.Context, within time.Duration) error {
	return bridgetest.Until(ctx, within, func(ctx context.Context) error {
		for _, b := range w.bridges {
			if err := b.ready(ctx); err != nil {
				w.unready.Store(err.Error())
				return err
			}
		}
		return nil
	})
}

// idleTimeout is how long MK.IO may take to send its remaining deliveries after the last fault.
const idleTimeout = 20 * time.Minute

// judge heals everything, waits until MK.IO has sent all deliveries and the log has converged, and checks the whole log.
func (w *world) judge(ctx context.Context) error {
	w.config.Log.Info("faults healed; waiting for MK.IO's last deliveries", "deliveries", w.sender.deliveries())
	if w.config.Sabotage != "" { // a sabotaged bridge may never converge
		return w.checkLog(ctx)
	}
	w.fake.SetFaults(mkiofake.Faults{})
	if err := w.restartStandard(); err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-w.fake.Idle():
	case <-time.After(idleTimeout):
		return fmt.Errorf("deliveries still in flight %s after the last fault: use fewer resources", idleTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := w.awaitConvergence(ctx); err != nil {
		w.report.violation("log not converged %s after MK.IO's last delivery: %v", convergenceTimeout, err)
	}
	w.report.Converged = time.Since(began).Round(100 * time.Millisecond)
	w.config.Log.Info("checking the log", "after", w.report.Converged)
	return w.checkLog(ctx)
}

// restartStandard restarts all bridges with the standard configuration, and lets them adopt MK.IO if the note about it may be
// lost.
func (w *world) restartStandard() error {
	errs := make([]error, len(w.bridges))
	var all sync.WaitGroup
	for i, b := range w.bridges {
		all.Go(func() {
			errs[i] = w.whileDown(b, func() {
				w.stopGracefully(b)
				if w.notesLost.Load() {
					b.env = append(b.env, "BRIDGE_MKIO_ADOPT=all")
				}
				b.configure(0)
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// convergenceTimeout is how long the log may take to converge. Each resource that was deleted while sweeps failed is
// requested by its own address, twice if there are many, before it is recorded as Deleted; after half an hour there are tens
// of thousands of them.
const convergenceTimeout = 20 * time.Minute

// awaitConvergence waits until the log equals MK.IO's state, and returns the differences after the timeout.
func (w *world) awaitConvergence(ctx context.Context) error {
	log := eventlog.New(w.js, w.names)
	end, report := time.Now().Add(convergenceTimeout), time.Tick(30*time.Second)
	for ; ; pause(ctx, time.Second) {
		err := errors.Join(w.awaitReady(ctx, time.Second), oracle.CheckConverged(ctx, log, w.fake))
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
		select {
		case <-report:
			w.config.Log.Info("log not converged yet", "error", err)
		default:
		}
	}
}

// checkLog checks the log against MK.IO's changes and fills in the report.
func (w *world) checkLog(ctx context.Context) error {
	if err := w.sender.oracle.Check(ctx, w.js, w.names, w.fake); err != nil {
		w.report.violation("%v", err)
	}
	return w.fillReport(ctx, eventlog.New(w.js, w.names))
}

// fillReport fills in the report.
func (w *world) fillReport(ctx context.Context, log *eventlog.Log) error {
	r := w.report
	r.Responses = w.sender.oracle.Statuses()
	r.Changes = len(w.fake.Changes())
	for e, err := range log.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		r.Events++
		r.Via[e.Event.Data.Via]++
	}
	for _, err := range log.Unapplied(ctx) {
		if err != nil {
			return err
		}
		r.Unapplied++
	}
	if s, err := w.js.Stream(ctx, eventStream); err != nil {
		return err
	} else if deleted := s.CachedInfo().State.NumDeleted; deleted > 0 {
		r.violation("%d events are missing in the log", deleted)
	}
	if w.cluster != nil {
		for _, l := range w.outbound() {
			r.LostBytes += l.discarded.Load()
		}
		if err := bridgetest.Until(ctx, time.Minute, func(ctx context.Context) error { return w.cluster.CheckReplicas(ctx, eventStream, unappliedStream) }); err != nil {
			r.violation("%v", err)
		}
	}
	for _, b := range w.bridges {
		if err := w.inspect(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// inspect checks a bridge's exit statuses and log.
func (w *world) inspect(ctx context.Context, b *bridge) error {
	metrics, err := b.get(ctx, "/metrics")
	if err != nil {
		return err
	}
	exits, peak := b.Exits()
	w.report.Bridges = append(w.report.Bridges, bridgeReport{b.Name, exits, peak, gauge(metrics, "go_goroutines")})
	if exits["exit status 2"] > 0 {
		w.report.violation("%s ended with exit status 2", b.Name)
	}
	found, err := b.Log.Find(5, "panic:", "fatal error:", "DATA RACE", webhookSecret, apiToken)
	for _, line := range found {
		w.report.violation("%s logged: %s", b.Name, line)
	}
	return err
}

// preserveStores preserves the stores on their own disks if there are violations: they are evidence.
func (w *world) preserveStores() {
	if len(w.report.Violations) == 0 || w.config.Sabotage != "" {
		return
	}
	if w.disk != nil {
		w.disk.preserve = true
	}
	if w.cluster != nil {
		for _, s := range w.cluster.Servers {
			if s.disk != nil {
				s.disk.preserve = true
			}
		}
	}
}

// close ends all processes and links.
func (w *world) close(end func()) {
	end()
	w.preserveStores()
	if w.reader != nil {
		w.reader.Close()
	}
	for _, b := range w.bridges {
		b.close()
	}
	if w.cluster != nil {
		if err := w.cluster.Close(); err != nil {
			w.config.Log.Warn("cluster not cleaned up", "error", err)
		}
	}
	if w.disk != nil {
		if err := w.disk.unmount(); err != nil {
			w.config.Log.Warn("disk not unmounted", "error", err)
		}
	}
	if w.server != nil {
		_ = w.server.Close()
	}
	w.simulation.Wait()
	if w.api != nil {
		w.api.close()
	}
	if w.addresses != nil {
		_ = w.addresses.Close()
	}
}

// draw returns a random number below n.
func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) anyBridge() *bridge { return w.bridges[w.draw(len(w.bridges))] }

// TempDir creates a directory for a run and returns a function that removes it.
func TempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "mkio-bridge-torture-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}
