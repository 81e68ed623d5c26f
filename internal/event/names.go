package event

import (
	"regexp"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// Names derives the names of subjects, streams and buckets from one prefix, the first token of all subjects.
type Names struct {
	prefix string
	events string // the event log
}

// DefaultPrefix is the default first token of subjects.
const DefaultPrefix = "mkio"

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ValidPrefix reports whether a prefix is one token that is valid in the names of subjects, streams and buckets.
func ValidPrefix(prefix string) bool { return prefixPattern.MatchString(prefix) }

// NewNames returns the names for a valid prefix.
func NewNames(prefix string) Names {
	return Names{prefix: prefix, events: strings.ToUpper(prefix) + "_EVENTS"}
}

// Prefix is the first token of every event's subject.
func (n Names) Prefix() string { return n.prefix }

// EventStream is the event log, the single source of truth.
func (n Names) EventStream() string { return n.events }

// LogIdentity returns the identity of the event log whose stream was created at a time: a log that is created anew has another.
func LogIdentity(created time.Time) string { return created.UTC().Format(time.RFC3339Nano) }

// EventSubjects is every subject of the event log.
func (n Names) EventSubjects() string { return n.prefix + ".>" }

// UnappliedStream is the stream of the deliveries that became no event.
func (n Names) UnappliedStream() string { return strings.ToUpper(n.prefix) + "_UNAPPLIED" }

// UnappliedPrefix is the first token of the subjects of [Names.UnappliedStream].
func (n Names) UnappliedPrefix() string { return n.prefix + "-unapplied" }

// AuditStream is the stream of [Coverage] records.
func (n Names) AuditStream() string { return strings.ToUpper(n.prefix) + "_AUDIT" }

// AuditPrefix is the first token of the subjects of [Names.AuditStream].
func (n Names) AuditPrefix() string { return n.prefix + "-audit" }

// AuditSubject is the subject of the coverage records of a project and kind.
func (n Names) AuditSubject(project string, kind lifecycle.Kind) string {
	subject := func(token string) string { return n.AuditPrefix() + "." + token + "." + string(kind) }
	token := NameToken(project)
	if len(subject(token)) > maxSubject {
		token = cut(token, project)
	}
	return subject(token)
}

// StateBucket is the key-value bucket with the last event of each resource.
func (n Names) StateBucket() string { return strings.ToLower(n.prefix) + "_state" }

// StateStream is the stream behind [Names.StateBucket].
func (n Names) StateStream() string { return "KV_" + n.StateBucket() }

// LeaseBucket is the key-value bucket of leases: which bridge polls a project.
func (n Names) LeaseBucket() string { return strings.ToLower(n.prefix) + "_lease" }

// NotesBucket is the key-value bucket of what bridges store for each other: first sweeps, the hash of the registered webhook
// rule, the cursor of the delivery history, the identity of the MK.IO, the latest jobs.
func (n Names) NotesBucket() string { return strings.ToLower(n.prefix) + "_bridge" }

// ProgressBucket is the key-value bucket with how far each running job is.
func (n Names) ProgressBucket() string { return strings.ToLower(n.prefix) + "_progress" }

// ProgressStream is the stream behind [Names.ProgressBucket].
func (n Names) ProgressStream() string { return "KV_" + n.ProgressBucket() }

// ProgressSubject is the subject of a resource token, or of a pattern of them, in [Names.ProgressStream].
func (n Names) ProgressSubject(resource string) string {
	return "$KV." + n.ProgressBucket() + "." + resource
}

// StateSubject is the subject of a resource token, or of a pattern of them, in [Names.StateStream].
func (n Names) StateSubject(resource string) string { return "$KV." + n.StateBucket() + "." + resource }

// NotifyFailedStream is the stream of the dead letters of notifications.
func (n Names) NotifyFailedStream() string { return strings.ToUpper(n.prefix) + "_NOTIFY_FAILED" }

// NotifyFailedPrefix is the first token of the subjects of [Names.NotifyFailedStream].
func (n Names) NotifyFailedPrefix() string { return n.prefix + "-notify-failed" }

// NotifyFailedSubject is the subject of the dead letters of a rule, for the resource with the given token.
func (n Names) NotifyFailedSubject(rule, resource string) string {
	return n.NotifyFailedPrefix() + "." + rule + "." + resource
}
