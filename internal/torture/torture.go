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

// Config says what to break, and for how long.
type Config struct {
	Seed     uint64
	For      time.Duration // how long faults are made; healing and judging come on top
	Enough   int           // faults made as they were meant end it before that; 0: no number does
	Embedded bool          // one bridge with a server of its own, instead of a cluster
	Bridges  int           // on a cluster
	Slots    int           // how many resources there are at a time, about
	Faults   []string      // words of the names of the faults to make; none: all
	Clocks   bool          // step clocks too; the programs must be built anew for that
	Sabotage string        // break the bridge on purpose; "": do not
	Dir      string        // for stores and logs
	Log      *slog.Logger  // of the harness
}

// A world is everything under torture.
type world struct {
	config  Config
	fake    *mkiofake.MKIO
	api     *link // to MK.IO
	server  *http.Server
	sender  *sender
	bridges []*bridge
	cluster *Cluster // nil when the bridge has a server of its own
	store   string   // of the embedded server
	disk    *disk    // it lies on; nil: the machine's
	reader  *nats.Conn
	js      jetstream.JetStream
	names   event.Names
	// addresses are those of the processes, which listen on them again whenever they are started again.
	addresses *bridgetest.Addresses

	living  context.Context // of processes
	mu      sync.Mutex
	rng     *rand.Rand
	report  *Report
	playing sync.WaitGroup // MK.IO
	// notesLost is set when the bucket of notes was deleted. A bridge that runs writes its note again; where it was killed just
	// then, nothing tells any more which MK.IO the log is of, and an operator has to.
	notesLost atomic.Bool
	unready   atomic.Value // why a bridge was not ready when it was last asked and was not
}

// Run breaks what Config says and judges what is left. The error says that the harness failed; what the bridges did
// wrong is in the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	living, end := context.WithCancel(ctx)
	defer end()
	w := &world{
		config: c, living: living, names: event.NewNames(event.DefaultPrefix), rng: rand.New(rand.NewPCG(c.Seed, 1)),
		report: newReport(c),
	}
	defer w.close(end)
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	w.playing.Go(func() { w.tell(living) })
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
	if err := w.green(ctx, 2*time.Minute); err != nil {
		return err
	}
	return w.giveRoom(ctx)
}

// giveRoom lets what becomes no event take more room than a bridge gives it: half an hour of this is a year elsewhere.
func (w *world) giveRoom(ctx context.Context) error {
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

// openMKIO starts the simulated MK.IO and its API. Two rules of each project tell the same bridges: one was forgotten.
func (w *world) openMKIO(ctx context.Context) error {
	faults := mkiofake.Rude
	faults.Repeat, faults.RepeatBy = 1, 2*time.Minute
	faults.Late, faults.LateBy = 0.03, 2*time.Minute
	w.sender = newSender(w.config.Seed, 0.3)
	w.sender.oracle.OtherClocks = w.config.Clocks
	w.fake = mkiofake.New(mkiofake.Config{
		Seed: w.config.Seed, Token: apiToken, Faults: faults, Speed: speed, ReadLimit: -1, AtOnce: 256, Transport: w.sender,
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
	w.playing.Go(func() { _ = w.server.Serve(listener) })
	w.playing.Go(func() { _ = w.fake.Run(w.living) })
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
	if err := w.cluster.access.credentials(b.creds, time.Time{}); err != nil {
		return err
	}
	if err := b.through(ctx, w.cluster.Servers, len(w.cluster.Servers)); err != nil {
		return err
	}
	b.configure(0)
	if err := b.Start(w.living); err != nil {
		return err
	}
	b.run(w.living)
	return nil
}

// openEmbedded starts one bridge with a server of its own, on a disk of its own where one can be had.
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
	b.base = append(b.base, "BRIDGE_STORE_DIR="+w.store, "BRIDGE_NATS_LISTEN="+readers)
	b.configure(0)
	if err := b.Start(w.living); err != nil {
		return err
	}
	b.run(w.living)
	if err := w.green(ctx, time.Minute); err != nil {
		return err
	}
	w.reader, err = nats.Connect("nats://"+readers, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	w.js, err = jetstream.New(w.reader)
	return err
}

// green waits until every bridge says that it is ready.
func (w *world) green(ctx context.Context, within time.Duration) error {
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

// silence is how long MK.IO may take to have told all that is left, after the last fault.
const silence = 20 * time.Minute

// judge heals everything, waits until MK.IO is silent and the log is as it is, and reads the whole log.
func (w *world) judge(ctx context.Context) error {
	w.config.Log.Info("healed; waiting until MK.IO is silent", "deliveries", w.sender.deliveries())
	if w.config.Sabotage != "" { // it may never come to be right
		return w.holdAgainst(ctx)
	}
	w.fake.SetFaults(mkiofake.Faults{})
	if err := w.standard(); err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-w.fake.Idle():
	case <-time.After(silence):
		return fmt.Errorf("deliveries are still under way %s after the last fault: have fewer resources", silence)
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := w.converge(ctx); err != nil {
		w.report.bad("not as MK.IO %s after it fell silent: %v", convergence, err)
	}
	w.report.Converged = time.Since(began).Round(100 * time.Millisecond)
	w.config.Log.Info("judging the log", "after", w.report.Converged)
	return w.holdAgainst(ctx)
}

// standard starts all bridges again with the standard configuration, and says once that this MK.IO is the log's where that
// may not be known.
func (w *world) standard() error {
	errs := make([]error, len(w.bridges))
	var all sync.WaitGroup
	for i, b := range w.bridges {
		all.Go(func() {
			errs[i] = w.without(b, func() {
				w.stopWell(b)
				if w.notesLost.Load() {
					b.base = append(b.base, "BRIDGE_MKIO_ADOPT=all")
				}
				b.configure(0)
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// convergence is how long the log may take to be as MK.IO is. Each resource that was deleted while sweeps failed is asked
// for by its own address, twice where they are many, before it is Deleted, and after half an hour there are tens of thousands
// of them.
const convergence = 20 * time.Minute

// converge waits until the log is as MK.IO is, and returns what still is otherwise when that takes too long.
func (w *world) converge(ctx context.Context) error {
	log := eventlog.New(w.js, w.names)
	end, report := time.Now().Add(convergence), time.Tick(30*time.Second)
	for ; ; pause(ctx, time.Second) {
		err := errors.Join(w.green(ctx, time.Second), oracle.Converged(ctx, log, w.fake))
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
		select {
		case <-report:
			w.config.Log.Info("the log is not yet as MK.IO", "because", err)
		default:
		}
	}
}

// holdAgainst holds the log against the truth.
func (w *world) holdAgainst(ctx context.Context) error {
	if err := w.sender.oracle.Judge(ctx, w.js, w.names, w.fake); err != nil {
		w.report.bad("%v", err)
	}
	return w.account(ctx, eventlog.New(w.js, w.names))
}

// account fills in the report.
func (w *world) account(ctx context.Context, log *eventlog.Log) error {
	r := w.report
	r.Answers = w.sender.oracle.Answers()
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
		r.bad("the log misses %d events", deleted)
	}
	if w.cluster != nil {
		for _, l := range w.outbound() {
			r.LostBytes += l.lost.Load()
		}
		if err := bridgetest.Until(ctx, time.Minute, func(ctx context.Context) error { return w.cluster.Whole(ctx, eventStream, unappliedStream) }); err != nil {
			r.bad("%v", err)
		}
	}
	for _, b := range w.bridges {
		if err := w.inspect(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// inspect looks at what a bridge left behind.
func (w *world) inspect(ctx context.Context, b *bridge) error {
	metrics, err := b.ask(ctx, "/metrics")
	if err != nil {
		return err
	}
	exits, peak := b.Ended()
	w.report.Bridges = append(w.report.Bridges, bridgeReport{b.Name, exits, peak, gauge(metrics, "go_goroutines")})
	if exits["exit status 2"] > 0 {
		w.report.bad("%s ended with exit status 2", b.Name)
	}
	found, err := b.Log.Find(5, "panic:", "fatal error:", "DATA RACE", webhookSecret, apiToken)
	for _, line := range found {
		w.report.bad("%s said: %s", b.Name, line)
	}
	return err
}

// keepStores has the stores survive their disks where they are evidence.
func (w *world) keepStores() {
	if len(w.report.Violations) == 0 || w.config.Sabotage != "" {
		return
	}
	if w.disk != nil {
		w.disk.keep = true
	}
	if w.cluster != nil {
		for _, s := range w.cluster.Servers {
			if s.disk != nil {
				s.disk.keep = true
			}
		}
	}
}

// close ends all processes and links.
func (w *world) close(end func()) {
	end()
	w.keepStores()
	if w.reader != nil {
		w.reader.Close()
	}
	for _, b := range w.bridges {
		b.close()
	}
	if w.cluster != nil {
		if err := w.cluster.Close(); err != nil {
			w.config.Log.Warn("the cluster could not be cleared away", "error", err)
		}
	}
	if w.disk != nil {
		if err := w.disk.unmount(); err != nil {
			w.config.Log.Warn("the disk could not be cleared away", "error", err)
		}
	}
	if w.server != nil {
		_ = w.server.Close()
	}
	w.playing.Wait()
	if w.api != nil {
		w.api.close()
	}
	if w.addresses != nil {
		_ = w.addresses.Close()
	}
}

// draw is a number below n.
func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) anyBridge() *bridge { return w.bridges[w.draw(len(w.bridges))] }

// Scratch makes a directory for a run and returns what removes it.
func Scratch() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "mkio-bridge-torture-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}
