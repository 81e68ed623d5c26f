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

// The streams of a bridge with the standard prefix.
const (
	eventStream     = "MKIO_EVENTS"
	stateStream     = "KV_mkio_state"
	unappliedStream = "MKIO_UNAPPLIED"
	leaseStream     = "KV_mkio_lease"
	notesStream     = "KV_mkio_bridge"
)

// Of a NATS cluster and the ways to it.
var clusterFaults = []fault{
	{name: "NATS leader killed", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.killServer(ctx, w.leading(ctx), lasts/2)
	}},
	{name: "NATS follower killed", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.killServer(ctx, w.following(ctx), lasts/2)
	}},
	{name: "NATS leader frozen", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.freezeServer(ctx, w.leading(ctx), lasts)
	}},
	{name: "NATS follower frozen", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.freezeServer(ctx, w.following(ctx), lasts)
	}},
	{name: "NATS leader steps down", do: func(ctx context.Context, w *world, _ time.Duration) error {
		_, err := w.cluster.admin.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+eventStream, nil)
		return err
	}},
	{name: "NATS restarted server by server", alone: true, do: rollServers},
	{name: "NATS leader partitioned from the others", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.isolateServer(ctx, w.leading(ctx), mode{hold: true}, lasts)
	}},
	{name: "NATS follower partitioned from the others", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.isolateServer(ctx, w.following(ctx), mode{refuse: true}, lasts)
	}},
	{name: "bridge partitioned from NATS", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, w.anyBridge().outbound, mode{hold: true}, lasts)
	}},
	{name: "bridge cut off from NATS", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, w.anyBridge().outbound, mode{refuse: true}, lasts)
	}},
	{name: "all bridges partitioned from NATS", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, w.outbound(), mode{hold: true}, lasts)
	}},
	{name: "acknowledgements lost", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, w.anyBridge().outbound, mode{swallow: true}, lasts/2)
	}},
	{name: "links to NATS slow", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.linkFault(ctx, w.outbound(), mode{delay: 80 * time.Millisecond}, lasts)
	}},
	{name: "links between NATS servers slow", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.isolateServer(ctx, w.draw(len(w.cluster.Servers)), mode{delay: 80 * time.Millisecond}, lasts)
	}},
	{name: "NATS credentials expired", do: expireCredentials},
	{name: "stream's configuration changed: full", alone: true, do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.changeStream(ctx, lasts, func(c *jetstream.StreamConfig, s jetstream.StreamState) {
			c.Discard, c.MaxMsgs = jetstream.DiscardNew, int64(s.Msgs)
		})
	}},
	{name: "stream's configuration changed: other subjects", alone: true, do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.changeStream(ctx, lasts, func(c *jetstream.StreamConfig, _ jetstream.StreamState) { c.Subjects = []string{"elsewhere.>"} })
	}},
	{name: "bucket of states deleted", alone: true, do: deleteStream(stateStream)},
	{name: "bucket of leases deleted", alone: true, do: deleteStream(leaseStream)},
	{name: "bucket of notes deleted", alone: true, do: deleteNotes},
	{name: "NATS server's disk full", alone: true, possible: hasDisk, do: fillDisk},
	{name: "NATS server's disk read-only", alone: true, possible: hasDisk, do: protectDisk},
	{name: "NATS server's store torn at its tail", alone: true, do: tearStore},
	{name: "NATS server's clock stepped", possible: hasClocks, do: func(ctx context.Context, w *world, lasts time.Duration) error {
		return w.stepped(ctx, w.cluster.Servers[w.draw(len(w.cluster.Servers))].clock, lasts)
	}},
}

func hasDisk(w *world) bool {
	return w.cluster == nil && w.disk != nil || w.cluster != nil && w.cluster.Servers[0].disk != nil
}

// leading is the server that leads the log, or any when none does.
func (w *world) leading(ctx context.Context) int {
	if i, err := w.cluster.Leader(ctx, eventStream); err == nil {
		return i
	}
	return w.draw(len(w.cluster.Servers))
}

// following is a server that does not lead the log.
func (w *world) following(ctx context.Context) int {
	n := len(w.cluster.Servers)
	return (w.leading(ctx) + 1 + w.draw(n-1)) % n
}

func (w *world) outbound() []*link {
	var all []*link
	for _, b := range w.bridges {
		all = append(all, b.outbound...)
	}
	return all
}

func (w *world) killServer(ctx context.Context, i int, lasts time.Duration) error {
	s := w.cluster.Servers[i]
	s.Kill()
	pause(ctx, lasts)
	return s.Start(w.living)
}

func (w *world) freezeServer(ctx context.Context, i int, lasts time.Duration) error {
	s := w.cluster.Servers[i]
	s.Signal(syscall.SIGSTOP)
	pause(ctx, lasts)
	s.Signal(syscall.SIGCONT)
	return nil
}

func (w *world) isolateServer(ctx context.Context, i int, m mode, lasts time.Duration) error {
	w.cluster.isolate(i, m)
	pause(ctx, lasts)
	w.cluster.isolate(i, mode{})
	return nil
}

// rollServers restarts the servers one after the other, as an upgrade does: each sends its clients away first.
func rollServers(ctx context.Context, w *world, _ time.Duration) error {
	for _, s := range w.cluster.Servers {
		if err := s.Stop(syscall.SIGUSR2, 60*time.Second); err != nil {
			return err
		}
		if err := s.Start(w.living); err != nil {
			return err
		}
		if err := bridgetest.Until(ctx, time.Minute, func(ctx context.Context) error { return w.cluster.Whole(ctx, eventStream, unappliedStream) }); err != nil {
			return fmt.Errorf("after the restart of %s: %w", s.Name, err)
		}
	}
	return nil
}

// expireCredentials gives a bridge credentials that end in a moment, has it come in with them, and gives it good ones
// some time after they ended.
func expireCredentials(ctx context.Context, w *world, lasts time.Duration) error {
	b := w.anyBridge()
	if err := w.cluster.access.credentials(b.creds, time.Now().Add(2*time.Second)); err != nil {
		return err
	}
	for _, l := range b.outbound {
		l.cut()
	}
	pause(ctx, 3*time.Second+lasts/2)
	return w.cluster.access.credentials(b.creds, time.Time{})
}

// changeStream has somebody change the log's configuration, and put it right again.
func (w *world) changeStream(ctx context.Context, lasts time.Duration, change func(*jetstream.StreamConfig, jetstream.StreamState)) error {
	s, err := w.cluster.JS.Stream(ctx, eventStream)
	if err != nil {
		return err
	}
	right := s.CachedInfo().Config
	wrong := right
	change(&wrong, s.CachedInfo().State)
	if err := w.updateStream(ctx, wrong); err != nil {
		return err
	}
	pause(ctx, lasts)
	return bridgetest.Until(w.living, time.Minute, func(ctx context.Context) error { return w.updateStream(ctx, right) })
}

// updateStream changes a stream as its owner could; nats.go would set what the bridge left out.
func (w *world) updateStream(ctx context.Context, c jetstream.StreamConfig) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	answer, err := w.cluster.admin.RequestWithContext(ctx, "$JS.API.STREAM.UPDATE."+c.Name, body)
	if err != nil {
		return err
	}
	var said struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &said); err != nil {
		return err
	}
	if said.Error != nil {
		return said.Error
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

// deleteNotes deletes the bucket that has which MK.IO the log is of.
func deleteNotes(ctx context.Context, w *world, lasts time.Duration) error {
	w.notesLost.Store(true)
	return deleteStream(notesStream)(ctx, w, lasts)
}

// fillDisk fills a server's disk for a while. A server that could not write must be started again.
func fillDisk(ctx context.Context, w *world, lasts time.Duration) error {
	s := w.cluster.Servers[w.draw(len(w.cluster.Servers))]
	if err := s.disk.fill(); err != nil {
		return err
	}
	pause(ctx, lasts)
	if err := s.disk.free(); err != nil {
		return err
	}
	s.Kill()
	return s.Start(w.living)
}

// protectDisk has a server start, in vain, on a disk that cannot be written, and then on one that can.
func protectDisk(ctx context.Context, w *world, lasts time.Duration) error {
	s := w.cluster.Servers[w.draw(len(w.cluster.Servers))]
	s.Kill()
	if err := s.disk.readOnly(true); err != nil {
		return err
	}
	if err := s.Start(w.living); err != nil {
		return err
	}
	pause(ctx, lasts)
	s.Kill()
	if err := s.disk.readOnly(false); err != nil {
		return err
	}
	return s.Start(w.living)
}

// tearStore leaves half a record at the end of a follower's log.
func tearStore(ctx context.Context, w *world, lasts time.Duration) error {
	s := w.cluster.Servers[w.following(ctx)]
	s.Kill()
	pause(ctx, lasts/4)
	if err := tear(s.store, eventStream); err != nil {
		return err
	}
	return s.Start(w.living)
}
