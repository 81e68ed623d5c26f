package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
)

// Streams of a bridge with the default prefix.
const (
	eventStream     = "MKIO_EVENTS"
	stateStream     = "KV_mkio_state"
	unappliedStream = "MKIO_UNAPPLIED"
	leaseStream     = "KV_mkio_lease"
	notesStream     = "KV_mkio_bridge"
)

// clusterFaults are faults of a NATS cluster and of the links to it.
var clusterFaults = []fault{
	{name: "NATS leader killed", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.killServer(ctx, w.leader(ctx), duration/2)
	}},
	{name: "NATS follower killed", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.killServer(ctx, w.follower(ctx), duration/2)
	}},
	{name: "NATS leader frozen", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.freezeServer(ctx, w.leader(ctx), duration)
	}},
	{name: "NATS follower frozen", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.freezeServer(ctx, w.follower(ctx), duration)
	}},
	{name: "NATS leader steps down", run: func(ctx context.Context, w *world, _ time.Duration) error {
		_, err := w.cluster.admin.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+eventStream, nil)
		return err
	}},
	{name: "NATS restarted server by server", exclusive: true, run: rollServers},
	{name: "NATS leader partitioned from the others", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.isolateServer(ctx, w.leader(ctx), mode{hold: true}, duration)
	}},
	{name: "NATS follower partitioned from the others", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.isolateServer(ctx, w.follower(ctx), mode{refuse: true}, duration)
	}},
	{name: "bridge partitioned from NATS", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, w.anyBridge().outbound, mode{hold: true}, duration)
	}},
	{name: "bridge cut off from NATS", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, w.anyBridge().outbound, mode{refuse: true}, duration)
	}},
	{name: "all bridges partitioned from NATS", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, w.outbound(), mode{hold: true}, duration)
	}},
	{name: "acknowledgements lost", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, w.anyBridge().outbound, mode{discardResponses: true}, duration/2)
	}},
	{name: "links to NATS slow", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.linkFault(ctx, w.outbound(), mode{delay: 80 * time.Millisecond}, duration)
	}},
	{name: "links between NATS servers slow", run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.isolateServer(ctx, w.draw(len(w.cluster.Servers)), mode{delay: 80 * time.Millisecond}, duration)
	}},
	{name: "NATS credentials expired", run: expireCredentials},
	{name: "stream's configuration changed: full", exclusive: true, run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.changeStream(ctx, duration, func(c *jetstream.StreamConfig, s jetstream.StreamState) {
			c.Discard, c.MaxMsgs = jetstream.DiscardNew, int64(s.Msgs)
		})
	}},
	{name: "stream's configuration changed: other subjects", exclusive: true, run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.changeStream(ctx, duration, func(c *jetstream.StreamConfig, _ jetstream.StreamState) { c.Subjects = []string{"elsewhere.>"} })
	}},
	{name: "bucket of states deleted", exclusive: true, run: deleteStream(stateStream)},
	{name: "bucket of leases deleted", exclusive: true, run: deleteStream(leaseStream)},
	{name: "bucket of notes deleted", exclusive: true, run: deleteNotes},
	{name: "NATS server's disk full", exclusive: true, possible: hasDisk, run: fillDisk},
	{name: "NATS server's disk read-only", exclusive: true, possible: hasDisk, run: protectDisk},
	{name: "NATS server's store torn at its tail", exclusive: true, run: tearStore},
	{name: "NATS server's clock stepped", possible: hasClocks, run: func(ctx context.Context, w *world, duration time.Duration) error {
		return w.stepClockFor(ctx, w.cluster.Servers[w.draw(len(w.cluster.Servers))].clock, duration)
	}},
}

func hasDisk(w *world) bool {
	return w.cluster == nil && w.disk != nil || w.cluster != nil && w.cluster.Servers[0].disk != nil
}

// leader returns the server that leads the log, or any if there is no leader.
func (w *world) leader(ctx context.Context) int {
	if i, err := w.cluster.Leader(ctx, eventStream); err == nil {
		return i
	}
	return w.draw(len(w.cluster.Servers))
}

// follower returns a server that does not lead the log.
func (w *world) follower(ctx context.Context) int {
	n := len(w.cluster.Servers)
	return (w.leader(ctx) + 1 + w.draw(n-1)) % n
}

func (w *world) outbound() []*link {
	var all []*link
	for _, b := range w.bridges {
		all = append(all, b.outbound...)
	}
	return all
}

func (w *world) killServer(ctx context.Context, i int, duration time.Duration) error {
	s := w.cluster.Servers[i]
	s.Kill()
	pause(ctx, duration)
	return s.Start(w.processCtx)
}

func (w *world) freezeServer(ctx context.Context, i int, duration time.Duration) error {
	s := w.cluster.Servers[i]
	s.Signal(syscall.SIGSTOP)
	pause(ctx, duration)
	s.Signal(syscall.SIGCONT)
	return nil
}

func (w *world) isolateServer(ctx context.Context, i int, m mode, duration time.Duration) error {
	w.cluster.isolate(i, m)
	pause(ctx, duration)
	w.cluster.isolate(i, mode{})
	return nil
}

// rollServers restarts the servers one after the other in lame duck mode, as for an upgrade.
func rollServers(ctx context.Context, w *world, _ time.Duration) error {
	for _, s := range w.cluster.Servers {
		if err := s.Stop(syscall.SIGUSR2, 60*time.Second); err != nil {
			return err
		}
		if err := s.Start(w.processCtx); err != nil {
			return err
		}
		if err := bridgetest.Until(ctx, time.Minute, func(ctx context.Context) error { return w.cluster.CheckReplicas(ctx, eventStream, unappliedStream) }); err != nil {
			return fmt.Errorf("after the restart of %s: %w", s.Name, err)
		}
	}
	return nil
}

// expireCredentials gives a bridge credentials that expire soon, makes it reconnect with them, and replaces them some time
// after they have expired.
func expireCredentials(ctx context.Context, w *world, duration time.Duration) error {
	b := w.anyBridge()
	if err := w.cluster.auth.writeCredentials(b.creds, time.Now().Add(2*time.Second)); err != nil {
		return err
	}
	for _, l := range b.outbound {
		l.cut()
	}
	pause(ctx, 3*time.Second+duration/2)
	return w.cluster.auth.writeCredentials(b.creds, time.Time{})
}

// changeStream changes the log's configuration as another client, and restores it.
func (w *world) changeStream(ctx context.Context, duration time.Duration, change func(*jetstream.StreamConfig, jetstream.StreamState)) error {
	s, err := w.cluster.JS.Stream(ctx, eventStream)
	if err != nil {
		return err
	}
	original := s.CachedInfo().Config
	changed := original
	change(&changed, s.CachedInfo().State)
	if err := w.updateStream(ctx, changed); err != nil {
		return err
	}
	pause(ctx, duration)
	return bridgetest.Until(w.processCtx, time.Minute, func(ctx context.Context) error { return w.updateStream(ctx, original) })
}

// updateStream updates a stream with exactly the given configuration; nats.go would add defaults.
func (w *world) updateStream(ctx context.Context, c jetstream.StreamConfig) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	reply, err := w.cluster.admin.RequestWithContext(ctx, "$JS.API.STREAM.UPDATE."+c.Name, body)
	if err != nil {
		return err
	}
	var response struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &response); err != nil {
		return err
	}
	if response.Error != nil {
		return response.Error
	}
	return nil
}

func deleteStream(name string) func(context.Context, *world, time.Duration) error {
	return func(ctx context.Context, w *world, _ time.Duration) error {
		err := w.cluster.JS.DeleteStream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		return err
	}
}

// deleteNotes deletes the bucket mkio_bridge, which records the MK.IO that the log belongs to.
func deleteNotes(ctx context.Context, w *world, duration time.Duration) error {
	w.notesLost.Store(true)
	return deleteStream(notesStream)(ctx, w, duration)
}

// fillDisk fills a server's disk for a duration, and restarts the server, which cannot write afterwards.
func fillDisk(ctx context.Context, w *world, duration time.Duration) error {
	s := w.cluster.Servers[w.draw(len(w.cluster.Servers))]
	if err := s.disk.fill(); err != nil {
		return err
	}
	pause(ctx, duration)
	if err := s.disk.removeFiller(); err != nil {
		return err
	}
	s.Kill()
	return s.Start(w.processCtx)
}

// protectDisk starts a server on a read-only disk, which fails, and then on a writable one.
func protectDisk(ctx context.Context, w *world, duration time.Duration) error {
	s := w.cluster.Servers[w.draw(len(w.cluster.Servers))]
	s.Kill()
	if err := s.disk.readOnly(true); err != nil {
		return err
	}
	if err := s.Start(w.processCtx); err != nil {
		return err
	}
	pause(ctx, duration)
	s.Kill()
	if err := s.disk.readOnly(false); err != nil {
		return err
	}
	return s.Start(w.processCtx)
}

// tearStore leaves a torn write at the end of a follower's log.
func tearStore(ctx context.Context, w *world, duration time.Duration) error {
	s := w.cluster.Servers[w.follower(ctx)]
	s.Kill()
	pause(ctx, duration/4)
	if err := tear(s.store, eventStream); err != nil {
		return err
	}
	return s.Start(w.processCtx)
}
