package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Config configures a Runner.
type Config struct {
	Bucket jetstream.KeyValue // that all bridges share
	Bridge string             // host of this bridge
	Kinds  []string           // of the jobs in Jobs
	Log    *slog.Logger

	Heartbeat time.Duration // how often a running job is written; 0: defaultHeartbeat
	Deadline  time.Duration // without a write for this long, the bridge that runs a job has died; 0: defaultDeadline
}

// The deadline is many heartbeats, because it compares the clock of this machine with that of the NATS server.
const (
	defaultHeartbeat = 2 * time.Second
	defaultDeadline  = time.Minute
)

// A Runner runs jobs. It may be used by any number of goroutines.
type Runner struct {
	c       Config
	store   store
	stopped context.Context // ends the tasks
	stop    context.CancelFunc

	mu      sync.Mutex // so that nothing starts once Stop waits
	running sync.WaitGroup
}

// New returns a runner.
func New(c Config) *Runner {
	if c.Heartbeat == 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.Deadline == 0 {
		c.Deadline = defaultDeadline
	}
	r := &Runner{c: c, store: store{c.Bucket, c.Deadline}}
	r.stopped, r.stop = context.WithCancel(context.Background())
	return r
}

// A Task is what a job does. Its result is stored as JSON. It calls report as often as it likes.
type Task func(ctx context.Context, report func(Progress)) (result any, err error)

// A BusyError is for a job that cannot start because one of its kind with other parameters is running.
type BusyError struct{ Job Job }

func (e *BusyError) Error() string {
	return fmt.Sprintf("a %s with other parameters is running, as %s on %s: wait until it has ended", e.Job.Kind, e.Job.ID, e.Job.Bridge)
}

// ErrStopping is for a job that cannot start because the bridge is stopping.
var ErrStopping = errors.New("the bridge is stopping")

// Start starts a job, and returns it. If one of its kind is running in any bridge, Start returns that one, or a [*BusyError] if
// its parameters differ.
func (r *Runner) Start(ctx context.Context, kind string, parameters map[string]string, task Task) (started Job, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped.Err() != nil {
		return Job{}, ErrStopping
	}
	var revision uint64
	err = attempts(ctx, func() error {
		before, err := r.store.newest(ctx, kind)
		if err != nil {
			return err
		}
		if started = before.Job; before.State == Running {
			return nil
		}
		if err := r.store.archive(ctx, before.Job); err != nil {
			return err
		}
		started = Job{
			ID: newID(kind, before.number()+1), Kind: kind, State: Running, Parameters: parameters, Bridge: r.c.Bridge, Started: now(), Updated: now(),
		}
		revision, err = r.store.write(ctx, newestKey(kind), started, before.revision)
		return err
	})
	switch {
	case err != nil:
		return Job{}, err
	case revision == 0 && !maps.Equal(started.Parameters, parameters):
		return started, &BusyError{started}
	case revision > 0:
		r.c.Log.Info("job started", "job", started.ID)
		r.running.Go(func() { r.run(started, revision, task) })
	}
	return started, nil
}

// Job returns the job with an id, of whichever bridge; ok is false if there is none.
func (r *Runner) Job(ctx context.Context, id string) (j Job, ok bool, err error) {
	return r.store.job(ctx, id)
}

// Jobs returns the stored jobs of all bridges, newest first.
func (r *Runner) Jobs(ctx context.Context) ([]Job, error) { return r.store.all(ctx, r.c.Kinds) }

// Stop ends the tasks of this bridge, waits for them, and lets nothing start any more. Their jobs end as failed.
func (r *Runner) Stop() {
	r.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running.Wait()
}

// lastWriteTimeout limits the write of a job's end: a bridge that stops waits for it.
const lastWriteTimeout = 2 * time.Second

// run runs a task, and writes its job until it has ended.
func (r *Runner) run(j Job, revision uint64, task Task) {
	ctx, cancel := context.WithCancel(r.stopped)
	defer cancel()
	h := &heart{store: r.store, job: j, revision: revision}
	var beating sync.WaitGroup
	beating.Go(func() {
		if h.beat(ctx, r.c.Heartbeat) != nil {
			cancel()
		}
	})
	result, err := task(ctx, h.report)
	cancel()
	beating.Wait()
	if h.lost {
		r.c.Log.Warn("job stopped: another bridge has ended or replaced it", "job", j.ID)
		return
	}
	h.end(result, err, r.stopped.Err() != nil)
	last, cancelLast := context.WithTimeout(context.Background(), lastWriteTimeout)
	defer cancelLast()
	if err := h.write(last); err != nil {
		r.c.Log.Warn("end of a job cannot be written", "job", j.ID, "error", err)
	}
	r.c.Log.Info("job ended", "job", j.ID, "state", string(h.job.State), "error", h.job.Error)
}

// A heart writes the job that this bridge runs.
type heart struct {
	store    store
	job      Job
	revision uint64
	lost     bool // another bridge has ended or replaced the job

	mu       sync.Mutex // protects progress, which the task reports
	progress *Progress
}

func (h *heart) report(p Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.progress = &p
}

// errLost is for a job that is no longer this bridge's.
var errLost = errors.New("another bridge has ended or replaced the job")

// beat writes the job at an interval, until the context ends. It returns errLost if the job is lost.
func (h *heart) beat(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if errors.Is(h.write(ctx), errLost) {
			return errLost
		}
	}
}

// write writes the job. After a conflict it reads it: this bridge's own write may have been stored although its response was
// lost.
func (h *heart) write(ctx context.Context) error {
	h.mu.Lock()
	h.job.Progress = h.progress
	h.mu.Unlock()
	if h.job.State == Running {
		h.job.Updated = now()
	}
	key := newestKey(h.job.Kind)
	return attempts(ctx, func() error {
		revision, err := h.store.write(ctx, key, h.job, h.revision)
		if err == nil {
			h.revision = revision
			return nil
		}
		if !isConflict(err) {
			return err
		}
		there, readErr := h.store.read(ctx, key)
		switch {
		case readErr != nil:
			return readErr
		case there.ID == h.job.ID && there.State == h.job.State && there.State != Running:
			return nil // the end, of this bridge's own write
		case there.ID != h.job.ID || there.State != Running:
			h.lost = true
			return errLost
		}
		h.revision = there.revision
		return err
	})
}

// maxResult is the maximum size of a result, so that a job fits into a message.
const maxResult = 768 << 10

// end sets the job's end.
func (h *heart) end(result any, err error, stopped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	value, encodeErr := json.Marshal(result)
	switch {
	case err != nil && stopped:
		h.job.fail("the bridge that ran it was stopped: start it again")
	case err != nil:
		h.job.fail(err.Error())
	case encodeErr != nil:
		h.job.fail("the result cannot be encoded: " + encodeErr.Error())
	case len(value) > maxResult:
		h.job.fail(fmt.Sprintf("the result has %d bytes, more than the %d that can be stored", len(value), maxResult))
	default:
		ended := now()
		h.job.State, h.job.Result, h.job.Ended, h.job.Updated = Done, value, &ended, ended
	}
}
