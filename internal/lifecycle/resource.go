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
	Storage                Kind = "storage"
	Source                 Kind = "source"
	Content                Kind = "content"
	Destination            Kind = "destination"
	ChannelInstance        Kind = "channel-instance" // from a webhook whose source is of no kind above
)

// Kinds returns every kind, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{
		Asset, ContentKeyPolicy, Job, LiveEvent, LiveOutput, StreamingEndpoint, StreamingLocator,
		LiveChannel, LiveAPIEvent, StaticMultiviewChannel, StaticMultiviewEvent, ScheduledOperation,
		Storage, Source, Content, Destination, ChannelInstance,
	}
}

// MaxDepth is the largest number of names that any kind's key has.
const MaxDepth = 3

// Depth is the number of names that identify a resource of a kind within its project: a job needs its transform, a scheduled
// operation the kind and the name of its parent. It is 0 for an unknown kind.
func (k Kind) Depth() int {
	switch k {
	case Job, LiveOutput:
		return 2
	case ScheduledOperation:
		return 3
	case Asset, ContentKeyPolicy, LiveEvent, StreamingEndpoint, StreamingLocator, LiveChannel,
		LiveAPIEvent, StaticMultiviewChannel, StaticMultiviewEvent, Storage, Source, Content, Destination,
		ChannelInstance:
		return 1
	}
	return 0
}

// nameLabels returns the labels of a kind's names, as a usage line has them.
func (k Kind) nameLabels() string {
	switch k {
	case Job:
		return "TRANSFORM and NAME"
	case LiveOutput:
		return "LIVE-EVENT and NAME"
	case ScheduledOperation:
		return "PARENT-KIND, PARENT and NAME"
	default:
		return "NAME"
	}
}

// A Key identifies a resource, across all its lives. It is comparable.
type Key struct {
	Kind    Kind
	Project string
	names   [MaxDepth]string
}

// NewKey returns the key of a resource. names are the kind's name tokens, outermost first:
// transform and job for a job; parent kind, parent and operation for a scheduled operation.
func NewKey(kind Kind, project string, names ...string) (Key, error) {
	if kind.Depth() == 0 {
		return Key{}, fmt.Errorf("unknown resource kind %q", kind)
	}
	if len(names) != kind.Depth() {
		return Key{}, fmt.Errorf("%s needs %s; got %d", kind, kind.nameLabels(), len(names))
	}
	if project == "" {
		return Key{}, fmt.Errorf("%s without a project", kind)
	}
	k := Key{Kind: kind, Project: project}
	for i, n := range names {
		if n == "" {
			return Key{}, fmt.Errorf("%s with an empty name", kind)
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

// Via is the source of an observation.
type Via string

// The sources.
const (
	Webhook Via = "webhook" // a delivery
	Poll    Via = "poll"    // a poll
	History Via = "history" // a poll because of a failed or pending row of the delivery history
)

// Vias returns all sources.
func Vias() []Via { return []Via{Webhook, Poll, History} }

// A Delivery is the webhook delivery of an observation.
type Delivery struct {
	ID       string
	Type     string    // e.g. MediaKind.JobFinished
	Time     time.Time // from the delivery; zero if it has none
	Received time.Time // by the bridge
}

// A Problem is an error that MK.IO reports of a resource.
type Problem struct {
	Code     string
	Message  string
	Category string // of a job's output: what the cause belongs to, e.g. Content
	Retry    string // of a job's output: MK.IO's advice, DoNotRetry or MayRetry
	Output   string // label of the job's output, else its asset; "" for other errors
}

// An Observation says that a resource was in a state, by a webhook or a poll.
type Observation struct {
	Key   Key
	State string // as MK.IO spells it; "" is a state

	// Provisioning is the record's provisioningState (InProgress, Succeeded, Failed); "" if the kind has none or the record
	// has another state than State.
	Provisioning string

	Life     string    // internal id, else creation time in RFC 3339; "" when not known
	Created  time.Time // of this life, on MK.IO's clock; zero when not known
	At       time.Time // MK.IO's time of the change; zero if it gave none
	Modified time.Time // the record's own modification time; zero when not known or of another state

	// SeenAfter and SeenBefore are the window of a poll, on MK.IO's clock: the times of the last response with the former
	// state, and of the one with State. Zero for a webhook.
	SeenAfter, SeenBefore time.Time

	// Stored says that the response to a poll was from a cache, by its Date or Age: its content was true at SeenBefore.
	Stored bool

	// Clock is MK.IO's clock when a poll got its response; zero if it is not known for sure, and for a webhook.
	Clock time.Time

	// Basis is the stream sequence of the resource's last event before a poll's request (0: none). nil for a webhook.
	Basis *uint64

	// Retried says that the delivery was unapplied and is decided again: its order of arrival is no evidence.
	Retried bool

	// Discovered says that the resource existed before the first sweep of its project and kind: its first event is of type
	// discovered.
	Discovered bool

	Via              Via
	Delivery         *Delivery // only with Webhook
	ReportedPrevious *string   // the previous state according to the delivery; only with Webhook

	Source      string // path of the resource below the API's base address, names percent-encoded
	Subject     string // path of the resource inside the project's media or live API
	Problems    []Problem
	Correlation json.RawMessage // the customer's correlation data, a JSON object or nil
	Resource    json.RawMessage // the record from MK.IO, secrets redacted; nil if there is none
}

// ProvisioningFailed reports whether a provisioningState is Failed.
func ProvisioningFailed(provisioning string) bool { return strings.EqualFold(provisioning, "Failed") }

// A Fact is an event of a resource in the log, without its payload.
type Fact struct {
	Sequence     uint64 // of the event in the log
	Transition   uint64 // 1 for the resource's first event
	State        string
	Provisioning string
	Life         string
	At           time.Time // MK.IO's time of the change; zero if it gave none
	Modified     time.Time
	SeenAfter    time.Time
	SeenBefore   time.Time
	Delivery     string // id of the delivery; "" when polled
	Via          Via
	Recorded     time.Time // by the clock of the bridge that wrote the event; zero for events of older bridges
	Hash         string    // SHA-256 of the stored payload, lower-case hex
	Stays        Stays     // how long the resource was in its transient states; "" where none is known
}
