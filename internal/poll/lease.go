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

// hold polls a project whenever this bridge holds its lease, until the context ends.
func (p *Poller) pollWhenLeased(ctx context.Context, name string) {
	ttl, err := p.leaseTTL(ctx)
	for err != nil {
		p.Logger.Warn("the bucket of leases cannot be read; it is tried again", "project", name, "error", err)
		if pause.For(ctx, p.Sweep) != nil {
			return
		}
		ttl, err = p.leaseTTL(ctx)
	}
	l := lease{bucket: p.Leases, key: event.NameToken(name), ttl: ttl}
	for ctx.Err() == nil {
		if err := l.acquire(ctx); err == nil {
			p.Logger.Info("polling", "project", name)
			p.pollUntilLost(ctx, name, &l)
			p.Logger.Info("polling ends", "project", name)
			continue
		}
		if pause.For(ctx, min(ttl/3, acquireInterval)) != nil {
			return
		}
	}
}

// takeEvery is the longest pause between two tries to take a lease that another holds.
const acquireInterval = 2 * time.Second

func (p *Poller) leaseTTL(ctx context.Context) (time.Duration, error) {
	status, err := p.Leases.Status(ctx)
	if err != nil {
		return 0, err
	}
	if status.TTL() <= 0 {
		return 0, fmt.Errorf("entries of bucket %s never end: a lease of a bridge that died would be held for ever", status.Bucket())
	}
	return status.TTL(), nil
}

// pollWhile polls a project as long as the lease is held.
func (p *Poller) pollUntilLost(ctx context.Context, name string, l *lease) {
	held, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.renewUntilLost(held)
		stop()
	}()
	project := newProject(p, name)
	p.addProject(project)
	project.run(held)
	p.removeProject(project)
	stop()
	<-done
	l.release()
}

// A lease is a key that one bridge creates and renews. It ends by itself a while after the last renewal.
type lease struct {
	bucket   jetstream.KeyValue
	key      string
	ttl      time.Duration
	revision uint64
	until    time.Time // held until then, by our own clock
}

// take gets the lease if nobody holds it.
func (l *lease) acquire(ctx context.Context) error {
	asked := time.Now()
	revision, err := l.bucket.Create(ctx, l.key, nil)
	if err != nil {
		return err
	}
	l.revision, l.until = revision, asked.Add(l.ttl)
	return nil
}

// keep renews the lease until the context ends or somebody else has it.
func (l *lease) renewUntilLost(ctx context.Context) {
	for pause.For(ctx, l.ttl/3) == nil {
		asked := time.Now()
		renewing, cancel := context.WithDeadline(ctx, l.until)
		revision, err := l.bucket.Update(renewing, l.key, nil, l.revision)
		cancel()
		switch {
		case err == nil:
			l.revision, l.until = revision, asked.Add(l.ttl)
		case errors.Is(err, jetstream.ErrKeyRevisionMismatch) || !time.Now().Before(l.until):
			return
		}
	}
}

// giveUp lets the next bridge take over at once.
func (l *lease) release() {
	ctx, cancel := context.WithTimeout(context.Background(), l.ttl/3)
	defer cancel()
	_ = l.bucket.Delete(ctx, l.key, jetstream.LastRevision(l.revision)) // else it ends by itself
}
