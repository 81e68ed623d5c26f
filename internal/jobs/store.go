package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/pause"
)

// history is how many jobs of a kind are kept besides the newest.
const history = 10

// A store reads and writes jobs.
type store struct {
	bucket   jetstream.KeyValue
	deadline time.Duration // a running job that was not written for this long has ended
}

func newestKey(kind string) string { return "job." + kind }

func historyKey(kind string, number uint64) string {
	return fmt.Sprintf("job.%s.%d", kind, number%history)
}

// A stored is a job with its revision; the zero value if there is none.
type stored struct {
	Job
	revision uint64
	written  time.Time // by the server's clock
}

// read returns the job under a key.
func (s store) read(ctx context.Context, key string) (stored, error) {
	entry, err := s.bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, fmt.Errorf("read %s of bucket %s: %w", key, s.bucket.Bucket(), err)
	}
	found := stored{revision: entry.Revision(), written: entry.Created()}
	if json.Unmarshal(entry.Value(), &found.Job) != nil {
		found.Job = Job{} // a corrupt entry counts as none, and is overwritten
	}
	return found, nil
}

// write replaces the job under a key, and returns its new revision. isConflict recognises the error of a job that was changed
// meanwhile.
func (s store) write(ctx context.Context, key string, j Job, revision uint64) (uint64, error) {
	value, err := json.Marshal(j)
	if err != nil {
		return 0, err
	}
	if revision == 0 {
		revision, err = s.bucket.Create(ctx, key, value)
	} else {
		revision, err = s.bucket.Update(ctx, key, value, revision)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s of bucket %s: %w", key, s.bucket.Bucket(), err)
	}
	return revision, nil
}

func isConflict(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch)
}

// Limits of the attempts at a write that conflicts with another bridge's. A replica may respond to a read with an older job, so
// the pause doubles each time.
const (
	maxAttempts = 8
	firstPause  = 10 * time.Millisecond
)

// attempts calls do until it returns no conflict.
func attempts(ctx context.Context, do func() error) error {
	var err error
	for attempt := range maxAttempts {
		if attempt > 0 && pause.For(ctx, firstPause<<(attempt-1)) != nil {
			return err
		}
		if err = do(); !isConflict(err) {
			return err
		}
	}
	return err
}

// newest returns the newest job of a kind. A job whose bridge has died is ended first.
func (s store) newest(ctx context.Context, kind string) (found stored, err error) {
	err = attempts(ctx, func() error {
		if found, err = s.read(ctx, newestKey(kind)); err != nil {
			return err
		}
		if found.State != Running || time.Since(found.written) < s.deadline {
			return nil
		}
		found.fail(fmt.Sprintf("the bridge on %s, which ran it, has reported nothing since %s: start it again", found.Bridge, found.Updated.Format(time.RFC3339)))
		found.revision, err = s.write(ctx, newestKey(kind), found.Job, found.revision)
		return err
	})
	return found, err
}

// archive stores a job that has ended in the history, unless a later one is already there.
func (s store) archive(ctx context.Context, j Job) error {
	if j.ID == "" {
		return nil
	}
	key := historyKey(j.Kind, j.number())
	return attempts(ctx, func() error {
		there, err := s.read(ctx, key)
		if err != nil || there.number() >= j.number() {
			return err
		}
		_, err = s.write(ctx, key, j, there.revision)
		return err
	})
}

// job returns the job with an id; ok is false if there is none.
func (s store) job(ctx context.Context, id string) (j Job, ok bool, err error) {
	kind, number, ok := parseID(id)
	if !ok {
		return Job{}, false, nil
	}
	newest, err := s.newest(ctx, kind)
	for attempt := 0; err == nil && newest.number() < number && attempt < 4; attempt++ { // a replica may be behind
		if pause.For(ctx, firstPause<<attempt) != nil {
			return Job{}, false, ctx.Err()
		}
		newest, err = s.newest(ctx, kind)
	}
	if err != nil || newest.ID == id {
		return newest.Job, err == nil, err
	}
	former, err := s.read(ctx, historyKey(kind, number))
	return former.Job, err == nil && former.ID == id, err
}

// all returns the jobs of kinds, newest first.
func (s store) all(ctx context.Context, kinds []string) ([]Job, error) {
	var jobs []Job
	add := func(found stored, err error) error {
		if err == nil && found.ID != "" {
			jobs = append(jobs, found.Job)
		}
		return err
	}
	for _, kind := range kinds {
		if err := add(s.newest(ctx, kind)); err != nil {
			return nil, err
		}
		for slot := range uint64(history) {
			if err := add(s.read(ctx, historyKey(kind, slot))); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return b.Started.Compare(a.Started.Time) })
	return slices.CompactFunc(jobs, func(a, b Job) bool { return a.ID == b.ID }), nil
}
