package streams

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
)

// Config says what the streams are called, and how those that are missing are created.
type Config struct {
	Names    event.Names
	Replicas int
	MaxAge   time.Duration // of the event log; 0 keeps everything
	MaxBytes int64         // of each stream, for accounts that require a limit; 0: only the unapplied deliveries have one
	Create   bool          // false: streams that are missing are an error
}

// maxUnapplied bounds the unapplied deliveries, in bytes. When their stream is full, a further delivery that becomes no event
// is refused; no older one is discarded for it.
const maxUnapplied = 256 << 20

// events is the event log. Deletes and purges are denied for good, so that a gap in its sequences means damage. Nothing relies
// on the server's deduplication window: the expected sequence finds duplicates of any age.
//
// Nothing is compressed: a server of a cluster that was killed cuts its streams back to its last snapshot when it
// starts again, and nats-server 2.15.2 fails to do so within a compressed block and leaves the stream out from then on.
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
// transform for each number of name tokens (a resource's name has one to three). It has no subjects of its own, so that
// nobody can put into it.
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
		MaxBytes:          maxUnapplied,
		MaxMsgSize:        -1,
		MaxMsgsPerSubject: -1,
		AllowDirect:       true,
	}
}

// auditAge is how long the records of coverage are kept, about a megabyte a day and project: long enough for a check each
// quarter.
const auditAge = 100 * 24 * time.Hour

// audit has the records of coverage: for each kind of resource, when it was compared with MK.IO.
func (c Config) audit() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              c.Names.AuditStream(),
		Description:       "From when to when each kind of MK.IO's resources was compared with the log, and when not",
		Subjects:          []string{c.Names.AuditPrefix() + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld,
		Storage:           jetstream.FileStorage,
		Replicas:          c.Replicas,
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

// leaseTime is how long a bridge that has died keeps others from polling its projects.
const leaseTime = 6 * time.Second

// lease is the key-value bucket that says who polls a project. Entries expire.
func (c Config) lease() jetstream.StreamConfig {
	bucket := c.bucket(c.Names.LeaseBucket(), "Who polls a project; an entry ends when its bridge does")
	bucket.MaxAge = leaseTime
	bucket.Duplicates = leaseTime
	return bucket
}

// notes is the key-value bucket of what bridges note for each other: what its description says, and which MK.IO the log is of
// (package identity). Losing it costs requests, and may make a first event read discovered instead of changed.
func (c Config) notes() jetstream.StreamConfig {
	return c.bucket(c.Names.NotesBucket(), "What pollers note for each other: first sweeps, the registered rule, how far the history was read")
}

// bucket is a key-value bucket as NATS clients create it: that is what lets them use it as one.
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

// all are the streams in the order in which they are created: the log before the state bucket, whose source it is.
func (c Config) all() []jetstream.StreamConfig {
	return c.limited([]jetstream.StreamConfig{c.events(), c.state(), c.unapplied(), c.audit(), c.lease(), c.notes()})
}
