package lifecycle

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A Kind is the token that names a kind of MK.IO resource in subjects, keys and event types.
type Kind string

// The kinds of resource that have a state.
const (
	Asset                  Kind = "asset"
	ContentKeyPolicy       Kind = "content-key-policy"
	Job                    Kind = "job"
	LiveEvent              Kind = "live-event" // of the Media API
	LiveOutput             Kind = "live-output"
	StreamingEndpoint      Kind = "streaming-endpoint"
	StreamingLocator       Kind = "streaming-locator"
	LiveChannel            Kind = "live-channel"
	LiveAPIEvent           Kind = "live-api-event" // of the Live API
	StaticMultiviewChannel Kind = "static-multiview-channel"
	StaticMultiviewEvent   Kind = "static-multiview-event"
	ScheduledOperation     Kind = "scheduled-operation"
	Source                 Kind = "source"
	Content                Kind = "content"
	Destination            Kind = "destination"
	ChannelInstance        Kind = "channel-instance" // told by a webhook whose source names none of the above
)

// Kinds returns every kind, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{
		Asset, ContentKeyPolicy, Job, LiveEvent, LiveOutput, StreamingEndpoint, StreamingLocator,
		LiveChannel, LiveAPIEvent, StaticMultiviewChannel, StaticMultiviewEvent, ScheduledOperation,
		Source, Content, Destination, ChannelInstance,
	}
}

// MaxDepth is the largest number of names that any kind's key has.
const MaxDepth = 3

// Depth is how many names tell two resources of a kind and project apart: a job needs its
// transform, a scheduled operation the kind and the name of its parent. It is 0 for a kind
// that does not exist.
func (k Kind) Depth() int {
	switch k {
	case Job, LiveOutput:
		return 2
	case ScheduledOperation:
		return 3
	case Asset, ContentKeyPolicy, LiveEvent, StreamingEndpoint, StreamingLocator, LiveChannel,
		LiveAPIEvent, StaticMultiviewChannel, StaticMultiviewEvent, Source, Content, Destination,
		ChannelInstance:
		return 1
	}
	return 0
}

// A Key names one resource, across all its lives. It is comparable.
type Key struct {
	Kind    Kind
	Project string
	names   [MaxDepth]string
}

// NewKey returns the key of a resource. names are the kind's name tokens, outermost first:
// transform and job for a job; parent kind, parent and operation for a scheduled operation.
func NewKey(kind Kind, project string, names ...string) (Key, error) {
	if kind.Depth() == 0 {
		return Key{}, fmt.Errorf("no resource kind %q", kind)
	}
	if len(names) != kind.Depth() {
		return Key{}, fmt.Errorf("a %s is named by %d names, not %d", kind, kind.Depth(), len(names))
	}
	if project == "" {
		return Key{}, fmt.Errorf("a %s without a project", kind)
	}
	k := Key{Kind: kind, Project: project}
	for i, n := range names {
		if n == "" {
			return Key{}, fmt.Errorf("a %s with an empty name", kind)
		}
		k.names[i] = n
	}
	return k, nil
}

// Names returns the kind's name tokens, outermost first.
func (k Key) Names() []string { return k.AppendNames(nil) }

// AppendNames appends the kind's name tokens, outermost first.
func (k Key) AppendNames(names []string) []string { return append(names, k.names[:k.Kind.Depth()]...) }

// Name is the resource's own name, the innermost of its names.
func (k Key) Name() string { return k.names[k.Kind.Depth()-1] }

func (k Key) String() string {
	return string(k.Kind) + " " + k.Project + "/" + strings.Join(k.names[:k.Kind.Depth()], "/")
}

// Via is the way an observation came.
type Via string

// The ways.
const (
	Webhook Via = "webhook" // told by a delivery
	Poll    Via = "poll"    // asked for by a sweep
	History Via = "history" // asked for because a row of the delivery history had failed
)

// A Delivery is the webhook delivery that told an observation.
type Delivery struct {
	ID       string
	Type     string    // e.g. MediaKind.JobFinished
	Time     time.Time // as the delivery gives it; zero when it does not
	Received time.Time // when the bridge had read it
}

// A Problem is one thing that MK.IO says went wrong with a resource.
type Problem struct {
	Code    string
	Message string
}

// An Observation says that a resource was told or seen to be in a state.
type Observation struct {
	Key   Key
	State string // as MK.IO spells it; "" is a state

	// Provisioning is the record's provisioningState (InProgress, Succeeded, Failed), "" where
	// the kind has none or the record shows another state than State.
	Provisioning string

	Life     string    // internal id, else creation time in RFC 3339; "" when not known
	Created  time.Time // of this life, on MK.IO's clock; zero when not known
	At       time.Time // MK.IO's time of the change; zero when MK.IO gave none
	Modified time.Time // the record's own modification time; zero when not known or of another state

	// SeenAfter and SeenBefore are the window of a poll, on MK.IO's clock: the last look that
	// still showed the state before, and the one that showed State. Zero for a webhook.
	SeenAfter, SeenBefore time.Time

	// Stored is for a poll that was answered with a stored copy, by its Date or Age: what it shows was true at SeenBefore.
	Stored bool

	// Clock is MK.IO's clock when a poll had its answer; zero where it is not known for sure, and for a webhook.
	Clock time.Time

	// Basis is the stream sequence that was recorded for the resource before a poll asked (0 for
	// none). nil for a webhook, which was not asked for.
	Basis *uint64

	// Retried is for a delivery that was put aside and is looked at again: that it comes now says
	// nothing of when it was true.
	Retried bool

	// Discovered is for a resource that was there before anybody looked: its first event is a fact for
	// the log and no news.
	Discovered bool

	Via              Via
	Delivery         *Delivery // only with Webhook
	ReportedPrevious *string   // the state before, as the delivery claims; only with Webhook

	Source      string // path of the resource below the API's base address, names percent-encoded
	Subject     string // path of the resource inside the project's media or live API
	Problems    []Problem
	Correlation json.RawMessage // the customer's correlation data, a JSON object or nil
	Resource    json.RawMessage // the record as MK.IO gave it, secrets redacted; nil when there is none
}

// ProvisioningFailed says whether a provisioningState is Failed.
func ProvisioningFailed(provisioning string) bool { return strings.EqualFold(provisioning, "Failed") }

// A Fact is what the log holds of a resource: one event of it, without its payload.
type Fact struct {
	Sequence     uint64 // of the event in the log
	Transition   uint64 // 1 for the resource's first event
	State        string
	Provisioning string
	Life         string
	At           time.Time // MK.IO's time of the change; zero when it gave none
	Modified     time.Time
	SeenAfter    time.Time
	SeenBefore   time.Time
	Delivery     string // id of the delivery that told it; "" when polled
	Hash         string // SHA-256 of the stored payload, lower-case hex
}
