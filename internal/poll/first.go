package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A firstSweepMark says how far the first sweep of a kind got. It is stored as JSON under swept.<project>.<kind>.
type firstSweepMark struct {
	Began time.Time `json:"began"` // on MK.IO's clock; zero: not yet
	Done  bool      `json:"done"`
}

// firstSweeps stores a mark for the first sweep of each kind of a project in the bucket that all bridges share.
//
// mu guards the fields below it, and is not held while the bucket is read or written.
type firstSweeps struct {
	notes   jetstream.KeyValue
	project string

	mu        sync.Mutex
	marks     map[lifecycle.Kind]firstSweepMark
	finishing map[lifecycle.Kind]bool // a goroutine is storing the end of the kind's first sweep: see claim
}

func newFirstSweeps(notes jetstream.KeyValue, project string) *firstSweeps {
	return &firstSweeps{notes: notes, project: project, marks: map[lifecycle.Kind]firstSweepMark{}, finishing: map[lifecycle.Kind]bool{}}
}

func (f *firstSweeps) key(kind lifecycle.Kind) string {
	return "swept." + event.NameToken(f.project) + "." + string(kind)
}

// load reads the marks of kinds.
func (f *firstSweeps) load(ctx context.Context, kinds []lifecycle.Kind) error {
	for _, kind := range kinds {
		entry, err := f.notes.Get(ctx, f.key(kind))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s of bucket %s: %w", f.key(kind), f.notes.Bucket(), err)
		}
		var m firstSweepMark
		if json.Unmarshal(entry.Value(), &m) != nil {
			continue // an unreadable mark counts as missing: the first sweep is repeated
		}
		f.mu.Lock()
		f.marks[kind] = m
		f.mu.Unlock()
	}
	return nil
}

// begin stores that the first sweep of kinds began, unless it began before.
func (f *firstSweeps) begin(ctx context.Context, kinds []lifecycle.Kind, at time.Time) error {
	return f.update(ctx, kinds, func(m firstSweepMark) firstSweepMark {
		if m.Began.IsZero() {
			m.Began = at
		}
		return m
	})
}

// finish stores that the first sweep of kinds is complete.
func (f *firstSweeps) finish(ctx context.Context, kinds []lifecycle.Kind) error {
	return f.update(ctx, kinds, func(m firstSweepMark) firstSweepMark { m.Done = true; return m })
}

func (f *firstSweeps) update(ctx context.Context, kinds []lifecycle.Kind, to func(firstSweepMark) firstSweepMark) error {
	for _, kind := range kinds {
		f.mu.Lock()
		old := f.marks[kind]
		f.mu.Unlock()
		m := to(old)
		if m == old {
			continue
		}
		value, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := f.notes.Put(ctx, f.key(kind), value); err != nil {
			return logError{fmt.Errorf("write %s of bucket %s: %w", f.key(kind), f.notes.Bucket(), err)}
		}
		f.mu.Lock()
		f.marks[kind] = m
		f.mu.Unlock()
	}
	return nil
}

// existedBefore reports whether a resource existed before the first sweep of its kind began, which makes its first event a
// "discovered" one. Where MK.IO does not give the time of creation, it is whether the first sweep is still under way.
func (f *firstSweeps) existedBefore(kind lifecycle.Kind, created time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.marks[kind]
	if created.IsZero() || m.Began.IsZero() {
		return !m.Done
	}
	return created.Before(m.Began)
}

// done reports whether the first sweep of a kind is complete.
func (f *firstSweeps) done(kind lifecycle.Kind) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.marks[kind].Done
}

// claim reports whether the caller is the one to store the end of a kind's first sweep. It must then call release.
func (f *firstSweeps) claim(kind lifecycle.Kind) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.finishing[kind] {
		return false
	}
	f.finishing[kind] = true
	return true
}

func (f *firstSweeps) release(kind lifecycle.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.finishing, kind)
}
