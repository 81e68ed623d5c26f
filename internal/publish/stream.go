package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/noanswer"
)

// Streams says how the streams are made where they are missing.
type Streams struct {
	Names    event.Names
	Replicas int
	MaxAge   time.Duration // of the event log; 0 keeps everything
	MaxBytes int64         // of each stream, for accounts that require a limit; 0: none but that of what became no event
	Create   bool          // false: streams that are missing are an error
}

// maxUnapplied bounds what became no event, in bytes. When it is full, deliveries that cannot be
// applied are refused rather than older ones dropped.
const maxUnapplied = 256 << 20

// events is the event log. Deletes and purges are denied for good, so that a hole in its sequence
// means damage. There is no deduplication window: the expected sequence does that for ever.
//
// Nothing is compressed: a server of a cluster that was killed cuts its streams back to its last snapshot when it
// starts again, and nats-server 2.15.2 fails to do so within a compressed block and leaves the stream out from then on.
func (s Streams) events() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               s.Names.EventStream(),
		Description:        "Every change of state of MK.IO's resources, written by mkio-bridge alone",
		Subjects:           []string{s.Names.EventSubjects()},
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardOld,
		Storage:            jetstream.FileStorage,
		Replicas:           s.Replicas,
		MaxAge:             s.MaxAge,
		MaxMsgs:            -1,
		MaxBytes:           -1,
		MaxMsgSize:         -1,
		MaxMsgsPerSubject:  -1,
		DenyDelete:         true,
		DenyPurge:          true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
	}
}

// state is the key-value bucket with the last event of each resource. The server fills it from the
// log, one transform for each depth of names; it listens on no subject, so nobody can put into it.
func (s Streams) state() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              s.Names.StateStream(),
		Description:       "The last event of each of MK.IO's resources, filled by the server from " + s.Names.EventStream(),
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          s.Replicas,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: 1,
		DenyDelete:        true,
		AllowDirect:       true,
		Sources: []*jetstream.StreamSource{{
			Name: s.Names.EventStream(),
			SubjectTransforms: []jetstream.SubjectTransformConfig{
				{Source: s.Names.Prefix() + ".*.*.*.*", Destination: s.Names.StateSubject("{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}")},
				{Source: s.Names.Prefix() + ".*.*.*.*.*", Destination: s.Names.StateSubject("{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}")},
				{Source: s.Names.Prefix() + ".*.*.*.*.*.*", Destination: s.Names.StateSubject("{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}.{{wildcard(5)}}")},
			},
		}},
	}
}

// unapplied keeps the deliveries that became no event.
func (s Streams) unapplied() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              s.Names.UnappliedStream(),
		Description:       "Deliveries of MK.IO that became no event, with the reason",
		Subjects:          []string{s.Names.UnappliedPrefix() + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          s.Replicas,
		MaxMsgs:           -1,
		MaxBytes:          maxUnapplied,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: -1,
		AllowDirect:       true,
	}
}

// auditAge bounds the records of coverage, about a megabyte a day and project: long enough to be looked at each quarter.
const auditAge = 100 * 24 * time.Hour

// audit keeps what was proven of each kind of resource.
func (s Streams) audit() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              s.Names.AuditStream(),
		Description:       "From when to when each kind of MK.IO's resources was compared with the log, and when not",
		Subjects:          []string{s.Names.AuditPrefix() + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld,
		Storage:           jetstream.FileStorage,
		Replicas:          s.Replicas,
		MaxAge:            auditAge,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: -1,
		DenyDelete:        true,
		DenyPurge:         true,
		AllowDirect:       true,
	}
}

// LeaseTime is how long a bridge that has died keeps others from polling its projects.
const LeaseTime = 6 * time.Second

// lease is the key-value bucket that says who polls a project. Entries end by themselves.
func (s Streams) lease() jetstream.StreamConfig {
	c := s.bucket(s.Names.LeaseBucket(), "Who polls a project; an entry ends when its bridge does")
	c.MaxAge = LeaseTime
	c.Duplicates = LeaseTime
	return c
}

// notes is the key-value bucket of what pollers note for each other. To lose it costs requests, and
// perhaps a discovered that should read changed.
func (s Streams) notes() jetstream.StreamConfig {
	return s.bucket(s.Names.NotesBucket(), "What pollers note for each other: first sweeps, the registered rule, how far the history was read")
}

// bucket is a key-value bucket as clients make it.
func (s Streams) bucket(name, description string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              "KV_" + name,
		Description:       description,
		Subjects:          []string{"$KV." + name + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          s.Replicas,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: 1,
		AllowRollup:       true,
		DenyDelete:        true,
		AllowDirect:       true,
	}
}

// all are the streams in the order in which they are made: a source must be there before what draws on it.
func (s Streams) all() []jetstream.StreamConfig {
	return s.limited([]jetstream.StreamConfig{s.events(), s.state(), s.unapplied(), s.audit(), s.lease(), s.notes()})
}

// Codes with which JetStream refuses to make a stream.
const (
	codeReplicas jetstream.ErrorCode = 10074 // "replicas > 1 not supported in non-clustered mode"
	codeNoPeers  jetstream.ErrorCode = 10005 // "no suitable peers for placement"
)

// Ensure makes the streams that are missing, or (without Create) only looks at them. A stream that is
// there is never changed: one that would break the bridge's promise is explained and refused.
func Ensure(ctx context.Context, js jetstream.JetStream, s Streams) error {
	for _, want := range s.all() {
		if err := ensureAlone(ctx, js, want, s); err != nil {
			return err
		}
	}
	return nil
}

// unfit is for a stream that is there and is not as the bridge needs it.
type unfit struct{ error }

func (u unfit) Unwrap() error { return u.error }

// ensureAlone finds or makes a stream while nobody else asks for any by this connection. Where there is no answer it finds
// out why, and does not wait for one that the servers do not allow.
func ensureAlone(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, s Streams) error {
	asking, stop := noanswer.UntilForbidden(ctx, js.Conn(), want.Name)
	defer stop()
	info, err := find(asking, js, want, s.Create)
	if err != nil {
		return explain(want, noanswer.Why(ctx, js, err, want.Name), s)
	}
	return fits(want, info)
}

// ensure returns a stream as it was found or made, also when it is unfit; nil when it is not there.
func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, s Streams) (*jetstream.StreamInfo, error) {
	info, err := find(ctx, js, want, s.Create)
	if err != nil {
		return nil, explain(want, err, s)
	}
	return info, fits(want, info)
}

// find returns a stream as it was found or made.
func find(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, create bool) (*jetstream.StreamInfo, error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && create {
		stream, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another bridge was first
			stream, err = js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

// fits returns an [unfit] error when a stream is not as the bridge needs it.
func fits(want jetstream.StreamConfig, info *jetstream.StreamInfo) error {
	if wrong := differences(want, info.Config); len(wrong) > 0 {
		return unfit{fmt.Errorf("stream %s is not as the bridge needs it, and the bridge does not change a stream that exists: %s",
			want.Name, strings.Join(wrong, "; "))}
	}
	return nil
}

// explain says what to do about a stream that is not there or could not be made.
func explain(want jetstream.StreamConfig, err error, s Streams) error {
	if size := s.sizeError(want, err); size != nil {
		return size
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("stream %s does not exist: create it, or start the bridge with BRIDGE_STREAM_MANAGE=create, which makes it: %w", want.Name, err)
	case refused(err, codeReplicas), refused(err, codeNoPeers):
		return fmt.Errorf("stream %s: %w: BRIDGE_STREAM_REPLICAS is %d; set it to no more than the servers of the cluster", want.Name, err, want.Replicas)
	}
	return fmt.Errorf("stream %s: %w", want.Name, err)
}

// differences lists what of a stream would break the bridge's promise. Limits of size and age,
// replicas, placement and compression are the operator's to choose.
func differences(want, is jetstream.StreamConfig) []string {
	var wrong []string
	check := func(field string, want, is any) {
		if w, i := fmt.Sprint(want), fmt.Sprint(is); w != i {
			wrong = append(wrong, fmt.Sprintf("%s is %s, it must be %s", field, i, w))
		}
	}
	check("subjects", sorted(want.Subjects), sorted(is.Subjects))
	check("retention", want.Retention, is.Retention)
	check("discard", want.Discard, is.Discard)
	check("storage", want.Storage, is.Storage)
	check("max_msgs_per_subject", want.MaxMsgsPerSubject, is.MaxMsgsPerSubject)
	check("max_msg_size", want.MaxMsgSize, is.MaxMsgSize)
	check("deny_purge", want.DenyPurge, is.DenyPurge)
	check("allow_direct", want.AllowDirect, is.AllowDirect)
	check("allow_atomic", want.AllowAtomicPublish, is.AllowAtomicPublish)
	check("allow_rollup_hdrs", want.AllowRollup, is.AllowRollup)
	check("allow_msg_ttl", want.AllowMsgTTL, is.AllowMsgTTL)
	check("persist_mode", want.PersistMode, is.PersistMode)
	check("no_ack", false, is.NoAck)
	check("sealed", false, is.Sealed)
	check("mirror", false, is.Mirror != nil)
	check("subject_transform", false, is.SubjectTransform != nil)
	check("sources", sources(want), sources(is))
	if want.DenyDelete {
		check("deny_delete", true, is.DenyDelete)
	}
	if want.MaxMsgsPerSubject == 1 && (want.MaxAge == 0 || is.MaxAge == 0) { // a bucket outlives the log, but for leases, which end some time
		check("max_age", want.MaxAge, is.MaxAge)
	}
	return wrong
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// sources writes a stream's sources down in an order of their own.
func sources(c jetstream.StreamConfig) []string {
	var all []string
	for _, s := range c.Sources {
		for _, t := range s.SubjectTransforms {
			all = append(all, s.Name+": "+t.Source+" to "+t.Destination)
		}
		if len(s.SubjectTransforms) == 0 {
			all = append(all, s.Name)
		}
	}
	return sorted(all)
}
