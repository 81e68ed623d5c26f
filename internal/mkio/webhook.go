package mkio

import (
	"strings"
	"time"
	"unicode/utf8"

	"mkio-bridge/internal/lifecycle"
)

// maxBatch is how many deliveries a body may have: they are committed one by one while the sender waits.
const maxBatch = 1000

// A Delivery is the JSON of one delivery.
type Delivery value

// ErrEmptyBatch is returned for a batch without items. It is malformed, but nothing in it can be lost.
var ErrEmptyBatch = malformed("the batch is empty")

// SplitBatch returns the deliveries of an HTTP body, in order: the body itself, or the items of a CloudEvents batch. The
// error is a [*Rejection], [ErrEmptyBatch] for an empty batch.
func SplitBatch(body []byte) ([]Delivery, error) {
	whole, err := parseDelivery(body, "the body")
	if err != nil {
		return nil, err
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

// parseDelivery is [parse] for input that must be UTF-8; what is its name in the error, a [*Rejection].
func parseDelivery(body []byte, what string) (value, error) {
	if isUTF16(body) {
		return nil, malformed("%s is UTF-16: send UTF-8", what)
	}
	if !utf8.Valid(body) {
		return nil, malformed("%s is not UTF-8", what)
	}
	whole, err := parse(body)
	if err != nil {
		return nil, malformed("%s is not JSON: %v", what, err)
	}
	return whole, nil
}

// A Decoder decodes deliveries. The zero Decoder accepts all projects and redacts records.
type Decoder struct {
	Projects    []string // configured projects; none: any
	Resource    ResourcePolicy
	Correlation CorrelationPolicy
}

// Decode returns the observation of a body with one delivery. The error is a [*Rejection].
func (d Decoder) Decode(body []byte, received time.Time) (lifecycle.Observation, error) {
	whole, err := parseDelivery(body, "the delivery")
	if err != nil {
		return lifecycle.Observation{}, err
	}
	return d.Read(Delivery(whole), received)
}

// Read is Decode for an item of [SplitBatch].
func (d Decoder) Read(item Delivery, received time.Time) (lifecycle.Observation, error) {
	e, err := readEnvelope(value(item))
	if err != nil {
		return lifecycle.Observation{}, err
	}
	if !strings.HasPrefix(e.typeName, typePrefix) {
		return lifecycle.Observation{}, unrecognised("%q is %s, not of MK.IO", "type", quote(e.typeName))
	}
	key, err := d.keyOf(&e)
	if err != nil {
		return lifecycle.Observation{}, err
	}
	return d.observe(&e, key, received)
}

// observe makes the observation of an envelope and its record.
func (d Decoder) observe(e *envelope, key lifecycle.Key, received time.Time) (lifecycle.Observation, error) {
	path, subject, ok := Path(key)
	if !ok {
		return lifecycle.Observation{}, unrecognised("a %s of these names has no API path", key.Kind)
	}
	recordState, hasState := e.record.state(key)
	if e.state == nil && !hasState {
		return lifecycle.Observation{}, malformed(`"state" is missing in the data or cannot be read, and the record of a %s has none`, key.Kind)
	}
	o := lifecycle.Observation{
		Key: key, State: recordState, At: e.time,
		Via:              lifecycle.Webhook,
		Delivery:         &lifecycle.Delivery{ID: e.id, Type: e.typeName, Time: e.time, Received: received},
		ReportedPrevious: e.previous,
		Source:           path, Subject: subject,
	}
	if e.state != nil {
		o.State = *e.state
	}
	if hasState && lifecycle.SameState(recordState, o.State) {
		o.Modified = e.record.modified()
		o.Provisioning = e.record.provisioning(key)
	}
	if e.record.found { // independent of the state
		o.Life, o.Created, o.Problems = e.record.life(), e.record.created(), e.record.problems()
		o.Correlation = d.Correlation.apply(e.record.correlationObject())
		o.Resource = policies{d.Resource, d.Correlation}.apply(e.rawRecord)
	}
	return o, nil
}
