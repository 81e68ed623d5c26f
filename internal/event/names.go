package event

import (
	"regexp"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// Names derives every name on NATS from one prefix, the first token of all subjects.
type Names struct {
	prefix string
	events string // the event log
}

// DefaultPrefix is the first subject token where nobody chose another.
const DefaultPrefix = "mkio"

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ValidPrefix says whether a prefix is one token that subjects, streams and buckets can carry.
func ValidPrefix(prefix string) bool { return prefixPattern.MatchString(prefix) }

// NewNames returns the names under a valid prefix.
func NewNames(prefix string) Names {
	return Names{prefix: prefix, events: strings.ToUpper(prefix) + "_EVENTS"}
}

// Prefix is the first token of every event's subject.
func (n Names) Prefix() string { return n.prefix }

// EventStream is the event log, the single source of truth.
func (n Names) EventStream() string { return n.events }

// EventSubjects is every subject of the event log.
func (n Names) EventSubjects() string { return n.prefix + ".>" }

// UnappliedStream keeps the deliveries that became no event.
func (n Names) UnappliedStream() string { return strings.ToUpper(n.prefix) + "_UNAPPLIED" }

// UnappliedPrefix is the first token of the subjects of [Names.UnappliedStream].
func (n Names) UnappliedPrefix() string { return n.prefix + "-unapplied" }

// AuditStream keeps what is proven of each kind of resource, and from when to when: [Coverage].
func (n Names) AuditStream() string { return strings.ToUpper(n.prefix) + "_AUDIT" }

// AuditPrefix is the first token of the subjects of [Names.AuditStream].
func (n Names) AuditPrefix() string { return n.prefix + "-audit" }

// AuditSubject is the subject of the records of a kind of a project.
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

// LeaseBucket is the key-value bucket that says who polls a project.
func (n Names) LeaseBucket() string { return strings.ToLower(n.prefix) + "_lease" }

// NotesBucket is the key-value bucket of what pollers note for each other: what was swept for the
// first time, which webhook rule is registered, how far the delivery history was read.
func (n Names) NotesBucket() string { return strings.ToLower(n.prefix) + "_bridge" }

// StateSubject is where a resource token (or a pattern of them) lies in [Names.StateStream].
func (n Names) StateSubject(resource string) string { return "$KV." + n.StateBucket() + "." + resource }
