package poll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
)

// pollWhenLeased polls a project whenever this bridge holds its lease, until the context ends.
func (p *Poller) pollWhenLeased(ctx context.Context, name string) {
	ttl, err := p.leaseTTL(ctx)
	for err != nil {
		p.Logger.Warn("lease bucket cannot be read; retrying", "project", name, "error", err)
		if pause.For(ctx, p.Sweep) != nil {
			return
		}
		ttl, err = p.leaseTTL(ctx)
	}
	l := lease{bucket: p.Leases, key: event.NameToken(name), ttl: ttl}
	for ctx.Err() == nil {
		l.value = newStanding(p, name).value
		if err := l.acquire(ctx); err == nil {
			p.Logger.Info("polling started", "project", name)
			p.pollUntilLost(ctx, name, &l)
			p.Logger.Info("polling ended", "project", name)
			continue
		}
		if pause.For(ctx, min(ttl/3, acquireInterval)) != nil {
			return
		}
	}
}

// acquireInterval is the longest time between two attempts to acquire a lease that another bridge holds.
const acquireInterval = 2 * time.Second

// leaseTTL returns the time after which a lease that is not renewed expires.
func (p *Poller) leaseTTL(ctx context.Context) (time.Duration, error) {
	status, err := p.Leases.Status(ctx)
	if err != nil {
		return 0, err
	}
	if status.TTL() <= 0 {
		return 0, fmt.Errorf("bucket %s has no TTL: the lease of a bridge that died would never expire", status.Bucket())
	}
	return status.TTL(), nil
}

// pollUntilLost polls a project until the lease is lost or the context ends, and then releases the lease.
func (p *Poller) pollUntilLost(ctx context.Context, name string, l *lease) {
	project := newProject(p, name)
	l.value = project.standing.value
	held, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.renewUntilLost(held)
		stop()
	}()
	p.addProject(project)
	project.run(held)
	p.removeProject(project)
	stop()
	<-done
	l.release()
}

// A lease is a key that one bridge creates and renews. It expires a TTL after the last renewal.
type lease struct {
	bucket   jetstream.KeyValue
	key      string
	ttl      time.Duration
	value    func() []byte // what its holder publishes with it ([event.Leader])
	revision uint64
	until    time.Time // held until then, on the local clock
}

// acquire creates the lease. It returns an error if another bridge holds it.
func (l *lease) acquire(ctx context.Context) error {
	sent := time.Now()
	revision, err := l.bucket.Create(ctx, l.key, l.value())
	if err != nil {
		return err
	}
	l.revision, l.until = revision, sent.Add(l.ttl)
	return nil
}

// renewUntilLost renews the lease until the context ends or the lease is lost.
func (l *lease) renewUntilLost(ctx context.Context) {
	for pause.For(ctx, l.ttl/3) == nil {
		sent := time.Now()
		renewing, cancel := context.WithDeadline(ctx, l.until)
		revision, err := l.bucket.Update(renewing, l.key, l.value(), l.revision)
		cancel()
		switch {
		case err == nil:
			l.revision, l.until = revision, sent.Add(l.ttl)
		case errors.Is(err, jetstream.ErrKeyRevisionMismatch) || !time.Now().Before(l.until):
			return
		}
	}
}

// release deletes the lease, so that another bridge can acquire it at once.
func (l *lease) release() {
	ctx, cancel := context.WithTimeout(context.Background(), l.ttl/3)
	defer cancel()
	_ = l.bucket.Delete(ctx, l.key, jetstream.LastRevision(l.revision)) // after an error it expires
}
