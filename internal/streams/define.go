package streams

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
)

// Config has the names of the streams, and the settings with which missing ones are created.
type Config struct {
	Names    event.Names
	Replicas int
	MaxAge   time.Duration // of the event log; 0 keeps everything
	MaxBytes int64         // of each stream, for accounts that require a limit; 0: only the stream of unapplied deliveries has one
	Create   bool          // false: a missing stream is an error
	Progress bool          // the bridge also has the bucket of the progress of jobs, without which it works all the same
}

// maxUnappliedBytes is the size limit of the stream of unapplied deliveries, in bytes. A full stream refuses further
// deliveries; it discards no older one.
const maxUnappliedBytes = 256 << 20

// events is the event log. Deletes and purges are denied permanently, so that a gap in its sequences means damage. Nothing
// relies on the server's deduplication window: the expected sequence finds duplicates of any age.
//
// No stream is compressed: a clustered server that was killed truncates its streams to its last snapshot when it restarts,
// and nats-server 2.15.2 fails to do so within a compressed block and does not open the stream again.
func (c Config) events() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               c.Names.EventStream(),
		Description:        "Every change of state of MK.IO's resources, written by mkio-bridge alone",
		Subjects:           []string{c.Names.EventSubjects()},
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardOld,
		Storage:            jetstream.FileStorage,
		Replicas:           c.Replicas,
		MaxAge:             c.MaxAge,
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

// state is the key-value bucket with the last event of each resource. The server fills it from the log, with one subject
// transform for each number of name tokens (a resource's name has one to three). It has no subjects of its own, so that no
// client can write to it.
func (c Config) state() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              c.Names.StateStream(),
		Description:       "The last event of each of MK.IO's resources, filled by the server from " + c.Names.EventStream(),
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          c.Replicas,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: 1,
		DenyDelete:        true,
		AllowDirect:       true,
		Sources: []*jetstream.StreamSource{{
			Name: c.Names.EventStream(),
			SubjectTransforms: []jetstream.SubjectTransformConfig{
				{Source: c.Names.Prefix() + ".*.*.*.*", Destination: c.Names.StateSubject("{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}")},
				{Source: c.Names.Prefix() + ".*.*.*.*.*", Destination: c.Names.StateSubject("{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}")},
				{Source: c.Names.Prefix() + ".*.*.*.*.*.*", Destination: c.Names.StateSubject("{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}.{{wildcard(5)}}")},
			},
		}},
	}
}

// unapplied stores the deliveries that became no event. They may be deleted: a retry does.
func (c Config) unapplied() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              c.Names.UnappliedStream(),
		Description:       "Deliveries of MK.IO that became no event, with the reason",
		Subjects:          []string{c.Names.UnappliedPrefix() + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          c.Replicas,
		MaxMsgs:           -1,
		MaxBytes:          maxUnappliedBytes,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: -1,
		AllowDirect:       true,
	}
}

// auditMaxAge is the age limit of coverage records, which take about a megabyte a day and project. It allows a quarterly
// check.
const auditMaxAge = 100 * 24 * time.Hour

// audit has the coverage records: for each kind of resource, when it was compared with MK.IO.
func (c Config) audit() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              c.Names.AuditStream(),
		Description:       "From when to when each kind of MK.IO's resources was compared with the log, and when not",
		Subjects:          []string{c.Names.AuditPrefix() + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld,
		Storage:           jetstream.FileStorage,
		Replicas:          c.Replicas,
		MaxAge:            auditMaxAge,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: -1,
		DenyDelete:        true,
		DenyPurge:         true,
		AllowDirect:       true,
	}
}

// leaseTTL is how long the lease of a bridge that has died prevents others from polling its projects.
const leaseTTL = 6 * time.Second

// lease is the key-value bucket of leases, which say which bridge polls a project. Its keys expire.
func (c Config) lease() jetstream.StreamConfig {
	bucket := c.bucket(c.Names.LeaseBucket(), "Who polls a project; an entry ends when its bridge does")
	bucket.MaxAge = leaseTTL
	bucket.Duplicates = leaseTTL
	return bucket
}

// notes is the key-value bucket of what bridges store for each other: what its description says, the identity of the log's
// MK.IO (package identity), and the latest jobs (package jobs). Losing it costs requests, and may turn the type of a first event from discovered to
// changed.
func (c Config) notes() jetstream.StreamConfig {
	return c.bucket(c.Names.NotesBucket(), "What pollers note for each other: first sweeps, the registered rule, how far the history was read")
}

// progressTTL is how long the progress of a job stays that no bridge polls, and whose end none has recorded.
const progressTTL = time.Hour

// progress is the key-value bucket of how far each running job is. It is optional: see [EnsureProgress]. It is in memory, because
// what it has is written again within half a minute.
func (c Config) progress() jetstream.StreamConfig {
	bucket := c.bucket(c.Names.ProgressBucket(), "How far each running job of MK.IO is; an entry ends when its job does")
	bucket.Storage = jetstream.MemoryStorage
	bucket.MaxAge = progressTTL
	return bucket
}

// bucket returns the stream of a key-value bucket with the settings that NATS clients expect of one.
func (c Config) bucket(name, description string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              "KV_" + name,
		Description:       description,
		Subjects:          []string{"$KV." + name + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          c.Replicas,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: 1,
		AllowRollup:       true,
		DenyDelete:        true,
		AllowDirect:       true,
	}
}

// all returns the streams without which a bridge does not work, in the order of creation: the log before the state bucket, whose
// source it is.
func (c Config) all() []jetstream.StreamConfig {
	return c.withSizeLimits([]jetstream.StreamConfig{c.events(), c.state(), c.unapplied(), c.audit(), c.lease(), c.notes()})
}

// optional returns the streams without which a bridge works all the same.
func (c Config) optional() []jetstream.StreamConfig {
	if !c.Progress {
		return nil
	}
	return c.withSizeLimits([]jetstream.StreamConfig{c.progress()})
}
