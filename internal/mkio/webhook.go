package mkio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"mkio-bridge/internal/lifecycle"
)

// maxBatch bounds the deliveries of one body: they are committed one by one while the sender waits.
const maxBatch = 1000

// A Delivery is the JSON of one delivery.
type Delivery value

// ErrEmptyBatch is for a batch without items. It is malformed, but there is nothing in it that could be lost.
var ErrEmptyBatch = malformed("the batch is empty")

// SplitBatch returns the deliveries of an HTTP body, in their order: the body itself, or the items of a
// CloudEvents batch. The error is a [*Rejection] for a body that holds none, [ErrEmptyBatch] for an empty batch.
func SplitBatch(body []byte) ([]Delivery, error) {
	if !utf8.Valid(body) {
		return nil, malformed("the body is not UTF-8")
	}
	whole, err := parse(body)
	if err != nil {
		return nil, malformed("the body is not JSON: %v", err)
	}
	if !whole.isArray() {
		return []Delivery{Delivery(whole)}, nil
	}
	var items []Delivery
	for item := range whole.elements() {
		if len(items) == maxBatch {
			return nil, malformed("the batch has more than %d deliveries", maxBatch)
		}
		items = append(items, Delivery(item))
	}
	if len(items) == 0 {
		return nil, ErrEmptyBatch
	}
	return items, nil
}

// A ResourcePolicy says what becomes of the record that a delivery brings.
type ResourcePolicy uint8

// The policies. Problems and correlation data are redacted under each.
const (
	ResourceRedacted ResourcePolicy = iota // kept without its secrets
	ResourceFull                           // kept as MK.IO gave it
	ResourceNone                           // left out
)

// ParseResourcePolicy reads a policy as operators spell it.
func ParseResourcePolicy(s string) (ResourcePolicy, error) {
	switch s {
	case "redacted":
		return ResourceRedacted, nil
	case "full":
		return ResourceFull, nil
	case "none":
		return ResourceNone, nil
	}
	return 0, fmt.Errorf("%q is none of full, redacted and none", s)
}

func (p ResourcePolicy) apply(record value) json.RawMessage {
	switch p {
	case ResourceNone:
		return nil
	case ResourceFull:
		var b bytes.Buffer
		_ = json.Compact(&b, record) // it is valid
		return b.Bytes()
	}
	return redact(withinRecord, record)
}

// A Decoder reads deliveries. The zero Decoder takes every project's and redacts.
type Decoder struct {
	Projects []string // the only projects that are known; none: any
	Resource ResourcePolicy
}

// Decode returns what the one delivery of a body tells. The error is a [*Rejection] where it tells nothing.
func (d Decoder) Decode(body []byte, received time.Time) (lifecycle.Observation, error) {
	if !utf8.Valid(body) {
		return lifecycle.Observation{}, malformed("the delivery is not UTF-8")
	}
	whole, err := parse(body)
	if err != nil {
		return lifecycle.Observation{}, malformed("the delivery is not JSON: %v", err)
	}
	return d.Read(Delivery(whole), received)
}

// Read is Decode for what [SplitBatch] returned.
func (d Decoder) Read(item Delivery, received time.Time) (lifecycle.Observation, error) {
	e, err := readEnvelope(value(item))
	if err != nil {
		return lifecycle.Observation{}, err
	}
	if !strings.HasPrefix(e.typ, anyType) {
		return lifecycle.Observation{}, unrecognised("%q is %s, not of MK.IO", "type", quote(e.typ))
	}
	key, err := d.keyOf(&e)
	if err != nil {
		return lifecycle.Observation{}, err
	}
	return d.observe(&e, key, received)
}

// observe puts together what envelope and record say of a resource.
func (d Decoder) observe(e *envelope, key lifecycle.Key, received time.Time) (lifecycle.Observation, error) {
	path, inside, ok := Path(key)
	if !ok {
		return lifecycle.Observation{}, unrecognised("no path leads to a %s of these names", key.Kind)
	}
	shown, shows := e.record.state(key)
	if e.state == nil && !shows {
		return lifecycle.Observation{}, malformed(`"state" is missing in the data or cannot be read, and the record of a %s shows none`, key.Kind)
	}
	o := lifecycle.Observation{
		Key: key, State: shown, At: e.time,
		Via:              lifecycle.Webhook,
		Delivery:         &lifecycle.Delivery{ID: e.id, Type: e.typ, Time: e.time, Received: received},
		ReportedPrevious: e.previous,
		Source:           path, Subject: inside,
	}
	if e.state != nil {
		o.State = *e.state
	}
	if shows && lifecycle.SameState(shown, o.State) {
		o.Modified = e.record.modified()
		o.Provisioning = e.record.text(field{properties, "provisioningState"})
	}
	if e.record.found { // it says this of the resource in whatever state
		o.Life, o.Created, o.Problems = e.record.life(), e.record.created(), e.record.problems()
		o.Correlation, o.Resource = e.record.correlation(), d.Resource.apply(e.whole)
	}
	return o, nil
}
