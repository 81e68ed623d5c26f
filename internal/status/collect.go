package status

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// Config configures a Reader.
type Config struct {
	JS   jetstream.JetStream
	Log  *eventlog.Log
	NATS doctor.NATS // how the streams are to be
	// Writes checks also whether the log can be written; without the right to publish, as readers are, it cannot be checked.
	Writes bool
	// Motion counts the resources that exist, are in motion and are stuck, and returns how long each state usually lasts.
	Motion   func(context.Context, time.Time) (durations.Motion, []durations.Usual, error)
	Projects []string                     // the configured ones
	Advise   func(doctor.Finding) string  // what to do about a finding
	Local    func(context.Context) *Local // nil: there is no bridge to describe
	Now      func() time.Time             // nil: time.Now
}

// A Reader reads the status. Its methods may be called from any number of goroutines.
type Reader struct {
	Config

	mu   sync.Mutex // guards the fields below, and is held while the status is read: requests meanwhile share the result
	hour hour
	last Status
	read time.Time // when last was read
}

// NewReader returns a reader.
func NewReader(c Config) *Reader {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Reader{Config: c}
}

// fresh is how long a status is returned again: each costs about thirty requests to JetStream.
const fresh = 2 * time.Second

// readTimeout limits the time to read a status.
const readTimeout = 15 * time.Second

// Status returns the status. It never fails: what cannot be read is a problem of the verdicts, which are then not calm.
func (r *Reader) Status(ctx context.Context) Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	if !r.read.IsZero() && now.Sub(r.read) < fresh {
		return r.last
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // another request may wait for it
	defer cancel()
	f := r.collect(reading, now)
	r.last, r.read = f.status(r.Advise), now
	if r.Local != nil {
		r.last.Local = r.Local(reading)
	}
	return r.last
}

// facts are what verdicts are computed from.
type facts struct {
	now        time.Time
	unreadable error // the first part that could not be read

	findings  []doctor.Finding // of streams and writes
	log       Log
	unapplied Unapplied
	gaps      []Gap
	compared  map[string]bool // projects that have coverage records
	projects  []event.Leader
	polled    map[string]bool // projects that have a leader
	rates     Rates
	motion    durations.Motion
	usual     []durations.Usual
}

// forgetAfter is how long after its last coverage record a project without a leader is still expected to be polled.
const forgetAfter = 14 * 24 * time.Hour

// collect reads everything. It stops at the first part that cannot be read.
func (r *Reader) collect(ctx context.Context, now time.Time) *facts {
	f := &facts{now: now, polled: map[string]bool{}, compared: map[string]bool{}}
	for _, part := range []struct {
		what string
		read func(context.Context, *facts) error
	}{
		{"streams", r.readStreams},
		{"event log", r.readLog},
		{"unapplied deliveries", r.readUnapplied},
		{"leaders and coverage", r.readProjects},
		{"events of the last hour", r.readHour},
		{"last events", r.readMotion},
	} {
		if err := part.read(ctx, f); err != nil {
			f.unreadable = fmt.Errorf("%s: %w", part.what, err)
			break
		}
	}
	return f
}

// readStreams verifies the streams and, with Writes, that the log can be written.
func (r *Reader) readStreams(ctx context.Context, f *facts) error {
	config := r.NATS.Streams
	for _, s := range streams.Inspect(ctx, r.JS, config) {
		f.findings = append(f.findings, r.NATS.JudgeStream(s, nil))
	}
	if !r.Writes {
		return nil
	}
	if err := streams.TryWrite(ctx, r.JS, config.Names.EventStream(), config.Names.Prefix()); err != nil {
		f.findings = append(f.findings, r.NATS.JudgeWrites("publishing", streams.APIPrefix(r.JS), err))
	}
	return nil
}

func (r *Reader) readLog(ctx context.Context, f *facts) error {
	info, err := r.Log.Stream(ctx)
	if err != nil {
		return err
	}
	bounds := eventlog.BoundsOf(info)
	f.log = Log{Stream: bounds.Stream, Identity: bounds.Identity, First: bounds.First, Last: bounds.Last, Missing: info.State.NumDeleted}
	return nil
}

func (r *Reader) readUnapplied(ctx context.Context, f *facts) (err error) {
	f.unapplied.Stored, f.unapplied.LastHour, err = r.Log.CountUnapplied(ctx, f.now.Add(-time.Hour))
	if err != nil {
		return err
	}
	f.unapplied.UsedRatio, err = r.Log.UnappliedUsed(ctx)
	return err
}

// readProjects reads the last coverage records, and what leaders publish.
func (r *Reader) readProjects(ctx context.Context, f *facts) error {
	records, err := r.Log.LastCoverages(ctx)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, p := range r.Projects {
		names[p] = true
	}
	for _, c := range records {
		names[c.Project] = true
	}
	sorted := slices.Sorted(maps.Keys(names))
	leaders, err := r.Log.Leaders(ctx, sorted)
	if err != nil {
		return err
	}
	expected := map[string]bool{}
	for _, p := range r.Projects {
		expected[p] = true
	}
	for _, c := range records {
		if _, led := leaders[c.Project]; !led && f.now.Sub(c.RecordedTime) > forgetAfter {
			continue // no longer polled
		}
		expected[c.Project] = true
		f.addCoverage(c)
	}
	for _, name := range sorted {
		leader, led := leaders[name]
		if led || expected[name] {
			leader.Project, f.polled[name] = name, led
			f.projects = append(f.projects, leader)
		}
	}
	return nil
}

// addCoverage adds the gap of a project and kind, if one is open according to its last record.
func (f *facts) addCoverage(c event.Coverage) {
	f.compared[c.Project] = true
	from := c.From
	if !from.Before(f.now) {
		return // another bridge's clock is ahead
	}
	for _, gap := range audit.CoverageOf([]event.Coverage{c}, from, f.now, f.now).Gaps {
		f.gaps = append(f.gaps, Gap{c.Project, c.Kind, gap.From.UTC().Truncate(time.Millisecond), gap.Reason})
	}
}

func (r *Reader) readHour(ctx context.Context, f *facts) error {
	bounds := eventlog.Bounds{Stream: f.log.Stream, Identity: f.log.Identity, First: f.log.First, Last: f.log.Last}
	reading, cancel := context.WithTimeout(ctx, hourTimeout)
	defer cancel()
	err := r.hour.advance(reading, r.Log, bounds, f.now)
	f.rates = r.hour.rates(f.now, f.lateLimit())
	if reading.Err() != nil && ctx.Err() == nil {
		f.rates.Partial = true
		return nil // the next reading continues behind the last event
	}
	return err
}

// hourTimeout limits the time to read the headers of the last hour's events. A busy log takes several readings at first.
const hourTimeout = 5 * time.Second

func (r *Reader) readMotion(ctx context.Context, f *facts) (err error) {
	f.motion, f.usual, err = r.Motion(ctx, f.now)
	return err
}

// resources returns what is in motion.
func (f *facts) resources() Resources {
	all := Resources{Known: map[lifecycle.Kind]int{}, InMotion: map[lifecycle.Kind]int{}, Stuck: []Stuck{}, Durations: []Duration{}}
	maps.Copy(all.InMotion, f.motion.InMotion)
	for kind, n := range f.motion.Known {
		if n > 0 {
			all.Known[kind] = n
		}
	}
	for _, s := range f.motion.Stuck() {
		all.Stuck = append(all.Stuck, Stuck{durationOf(s.Usual), s.Resources, s.Since.UTC().Truncate(time.Millisecond)})
	}
	for _, u := range f.usual {
		all.Durations = append(all.Durations, durationOf(u))
	}
	return all
}

func durationOf(u durations.Usual) Duration {
	return Duration{
		Kind: u.Kind, State: u.State, Samples: u.Samples, Learned: u.Learned,
		P50Seconds: seconds(u.P50), P95Seconds: seconds(u.P95), LimitSeconds: seconds(u.Limit),
	}
}
