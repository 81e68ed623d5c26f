package publish_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// ids returns the ids of all events of the log.
func (f *fixture) ids() []string {
	f.t.Helper()
	var ids []string
	for e, err := range eventlog.New(f.js, names).Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		ids = append(ids, e.Event.ID())
	}
	return ids
}

// loaded returns a new publisher with a loaded cache.
func (f *fixture) loaded() *publish.Publisher {
	f.t.Helper()
	p := f.publisher(false, nil)
	if err := p.Load(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	return p
}

// untimed is a delivery without MK.IO's time of the change, received at a minute after noon.
func untimed(k lifecycle.Key, state string, minute int) lifecycle.Observation {
	o := delivery(k, state, minute)
	o.At = time.Time{}
	o.Delivery.Received = noon.Add(time.Duration(minute) * time.Minute)
	return o
}

// polled is an observation of a poll at a minute after noon; the record was last modified at noon.
func polled(k lifecycle.Key, state string, minute int) lifecycle.Observation {
	o := delivery(k, state, minute)
	o.Via, o.Delivery, o.At, o.Basis = lifecycle.Poll, nil, time.Time{}, new(uint64)
	o.Modified, o.SeenBefore = noon, noon.Add(time.Duration(minute)*time.Minute)
	return o
}

func TestIDsAfterTheStoreWasLost(t *testing.T) {
	channel, job := key(t, lifecycle.LiveChannel, "news"), key(t, lifecycle.Job, "ladder-hd", "ep-0417")
	ofLife := func(life string, o lifecycle.Observation) lifecycle.Observation {
		o.Life = life
		return o
	}
	tests := []struct {
		name          string
		before, after lifecycle.Observation
		same          bool
	}{
		{"the same occurrence", delivery(channel, "Running", 1), delivery(channel, "Running", 1), true},
		{"the same occurrence, polled", polled(job, "Finished", 1), polled(job, "Finished", 9), true},
		{"another time", delivery(channel, "Running", 1), delivery(channel, "Running", 9), false},
		{"another life of a job", polled(job, "Finished", 1), ofLife("life-2", polled(job, "Finished", 1)), false},
		{"no time of MK.IO", untimed(channel, "Running", 1), untimed(channel, "Running", 9), false},
		{"no time of MK.IO, received at the same time", untimed(channel, "Running", 1), untimed(channel, "Running", 1), false},
		{"a record not modified", polled(channel, "Running", 1), polled(channel, "Running", 9), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := setUp(t)
			f.want(f.loaded(), tt.before, lifecycle.Changed)
			before := f.ids()
			f.recreate(names.StateStream(), names.EventStream())
			f.want(f.loaded(), tt.after, lifecycle.Changed)
			if after := f.ids(); len(before) != 1 || len(after) != 1 || (before[0] == after[0]) != tt.same {
				t.Errorf("ids %v before and %v after, want the same: %t", before, after, tt.same)
			}
		})
	}
}

// A bridge that has not detected yet that the log was deleted and recreated gives no id of the former log.
func TestIDsWhileTheLogIsCreatedAnew(t *testing.T) {
	f := setUp(t)
	p := f.loaded()
	channel := key(t, lifecycle.LiveChannel, "news")
	f.want(p, untimed(channel, "Running", 1), lifecycle.Changed)
	before := f.ids()
	f.recreate(names.StateStream(), names.EventStream())
	f.want(p, untimed(channel, "Running", 9), lifecycle.Changed)
	if after := f.ids(); len(after) != 1 || after[0] == before[0] {
		t.Errorf("ids %v before and %v after", before, after)
	}
}

// Which of the bridges on a log records an occurrence does not matter.
func TestBridgesAgreeOnEventIDs(t *testing.T) {
	channel := key(t, lifecycle.LiveChannel, "news")
	for name, o := range map[string]lifecycle.Observation{
		"with MK.IO's time": delivery(channel, "Running", 1), "without": untimed(channel, "Running", 1), "polled": polled(channel, "Running", 1),
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			p, q := f.loaded(), f.loaded()
			f.want(p, o, lifecycle.Changed)
			before := f.ids()
			again := o // a delivery that MK.IO sends again to another bridge, or a poll of that bridge
			if o.Delivery != nil {
				again.Delivery = &lifecycle.Delivery{ID: o.Delivery.ID, Type: o.Delivery.Type, Received: o.Delivery.Received.Add(time.Minute)}
			}
			if v, err := q.Observe(t.Context(), again); err != nil || v.News() {
				t.Errorf("%s (%s), %v", v.Outcome, v.Why, err)
			}
			if after := f.ids(); len(after) != 1 || after[0] != before[0] {
				t.Errorf("ids %v, then %v", before, after)
			}
		})
	}
}

// A write that is stored but reported as failed, and one that fails and is retried, leave one event with one id.
func TestARetriedWriteMakesOneID(t *testing.T) {
	refused := &jetstream.APIError{ErrorCode: 10071, Code: 400, Description: "wrong last sequence"}
	channel := key(t, lifecycle.LiveChannel, "news")
	for name, spoil := range map[string]*faultyJetStream{
		"stored but reported failed": {after: errors.New("acknowledgement lost")},
		"not stored":                 {instead: refused},
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			var written []string
			p := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream {
				spoil.JetStream = tappedJetStream{js, func(m *nats.Msg) {
					if m.Header.Get(event.HeaderProbe) == "" {
						written = append(written, idIn(t, m.Data))
					}
				}}
				return spoil
			})
			if err := p.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			o := untimed(channel, "Running", 1)
			if _, err := f.observe(p, o); err != nil {
				t.Error(err)
			}
			f.want(p, o, lifecycle.Repeat)
			if ids := f.ids(); len(ids) != 1 || len(written) != 1 || ids[0] != written[0] {
				t.Errorf("the log has ids %v, written were %v", ids, written)
			}
		})
	}
}

// A log of an older version, whose ids were derived from resource, transition and state only, is continued: its events keep
// their ids, it verifies with its old root, and its deliveries are still duplicates.
func TestLogOfAnOlderVersionContinues(t *testing.T) {
	f := setUp(t)
	channel := key(t, lifecycle.LiveChannel, "news")
	started, stopped := delivery(channel, "Running", 1), delivery(channel, "Stopped", 2)
	f.want(f.publisher(false, asOldVersion), started, lifecycle.Changed)
	f.want(f.publisher(false, asOldVersion), stopped, lifecycle.Changed)
	old := f.ids()
	if want := oldID(names.Resource(channel), 1, "running"); len(old) != 2 || old[0] != want {
		t.Fatalf("ids %v, the first should be %s", old, want)
	}
	root := f.verified(nil)

	p := f.loaded()
	f.want(p, started, lifecycle.Repeat)
	f.want(p, stopped, lifecycle.Repeat)
	f.want(p, delivery(channel, "Running", 3), lifecycle.Changed)
	f.verified(&root)
	f.wantStates("Running", "Stopped", "Running")
	if ids := f.ids(); len(ids) != 3 || ids[0] != old[0] || ids[1] != old[1] || ids[2] == oldID(names.Resource(channel), 3, "running") {
		t.Errorf("ids %v, then %v", old, ids)
	}
}

// verified verifies the log, against an older root if given, and returns its root.
func (f *fixture) verified(root *audit.Root) audit.Root {
	f.t.Helper()
	report, err := audit.Verify(f.t.Context(), f.js, names, audit.Options{Root: root})
	if err != nil || report.Wrong > 0 {
		f.t.Fatalf("verify: %v, %v", err, report.Errors)
	}
	return report.Root
}

// oldID is the id that older versions gave an event.
func oldID(resource string, transition uint64, state string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", resource, transition, state))
	return hex.EncodeToString(sum[:16])
}

// asOldVersion makes a JetStream write events with the ids of older versions.
func asOldVersion(js jetstream.JetStream) jetstream.JetStream {
	return tappedJetStream{js, func(m *nats.Msg) {
		e, err := event.Decode(m.Data)
		if err != nil {
			panic(err)
		}
		id := oldID(e.PartitionKey, e.Data.Transition, strings.ToLower(e.Data.State))
		m.Data = []byte(strings.Replace(string(m.Data), e.ID(), id, 1))
		m.Header.Set(event.HeaderHash, event.Hash(m.Data))
	}}
}

func idIn(t *testing.T, payload []byte) string {
	t.Helper()
	e, err := event.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	return e.ID()
}

// tappedJetStream is a JetStream that passes each message to a function before it is written.
type tappedJetStream struct {
	jetstream.JetStream
	inspect func(*nats.Msg)
}

func (t tappedJetStream) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	t.inspect(m)
	return t.JetStream.PublishMsg(ctx, m, opts...)
}
