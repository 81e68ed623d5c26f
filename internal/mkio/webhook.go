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

// SplitBatch returns the deliveries of an HTTP body, in their order: the body itself, or the items of a
// CloudEvents batch. The error is a [*Rejection] for a body that holds none.
func SplitBatch(body []byte) ([]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, malformed("the body is not UTF-8")
	}
	if err := checkJSON(body); err != nil {
		return nil, malformed("the body is not JSON: %v", err)
	}
	body = bytes.TrimSpace(body)
	if body[0] != '[' {
		return []json.RawMessage{body}, nil
	}
	var items []json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		return nil, malformed("the batch cannot be read: %v", err)
	}
	for dec.More() { // one by one: an array of small values would need many times its size
		if len(items) == maxBatch {
			return nil, malformed("the batch has more than %d deliveries", maxBatch)
		}
		var item json.RawMessage
		if err := dec.Decode(&item); err != nil {
			return nil, malformed("the batch cannot be read: %v", err)
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil, malformed("the batch is empty")
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

func (p ResourcePolicy) apply(raw json.RawMessage) (json.RawMessage, error) {
	switch p {
	case ResourceNone:
		return nil, nil
	case ResourceFull:
		var b bytes.Buffer
		err := json.Compact(&b, raw)
		return b.Bytes(), err
	}
	return Redact(raw)
}

// A Decoder reads deliveries. The zero Decoder takes every project's and redacts.
type Decoder struct {
	Projects []string // the only projects that are known; none: any
	Resource ResourcePolicy
}

// Decode returns what a delivery tells. The error is a [*Rejection] where it tells nothing.
func (d Decoder) Decode(item []byte, received time.Time) (lifecycle.Observation, error) {
	e, err := parseEnvelope(item)
	if err != nil {
		return lifecycle.Observation{}, err
	}
	if !strings.HasPrefix(e.typ, anyType) {
		return lifecycle.Observation{}, unrecognised("%q is %s, not of MK.IO", "type", quote(e.typ))
	}
	key, err := d.keyOf(e)
	if err != nil {
		return lifecycle.Observation{}, err
	}
	return d.observe(e, key, received)
}

// observe puts together what envelope and record say of a resource.
func (d Decoder) observe(e envelope, key lifecycle.Key, received time.Time) (lifecycle.Observation, error) {
	path, inside, ok := Path(key)
	if !ok {
		return lifecycle.Observation{}, unrecognised("no path leads to a %s of these names", key.Kind)
	}
	shown, shows := e.record.state(key)
	if e.state == nil && !shows {
		return lifecycle.Observation{}, malformed(`"state" is missing in the data, and the record of a %s shows none`, key.Kind)
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
		o.Provisioning = e.record.text(field{"properties", "provisioningState"})
	}
	return d.addRecord(o, e)
}

// addRecord adds what a record says of the resource in whatever state.
func (d Decoder) addRecord(o lifecycle.Observation, e envelope) (lifecycle.Observation, error) {
	if e.record == nil {
		return o, nil
	}
	o.Life, o.Created, o.Problems = e.record.life(), e.record.created(), e.record.problems()
	var err error
	if o.Correlation, err = e.record.correlation(); err != nil {
		return lifecycle.Observation{}, malformed("correlation data: %v", err)
	}
	if o.Resource, err = d.Resource.apply(e.rawRecord); err != nil {
		return lifecycle.Observation{}, malformed("record: %v", err)
	}
	return o, nil
}
