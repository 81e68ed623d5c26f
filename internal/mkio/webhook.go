package mkio

import (
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

// parseDelivery is [parse] for what must be UTF-8; what names it in the error, a [*Rejection].
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

// A Decoder reads deliveries. The zero Decoder takes every project's and redacts records.
type Decoder struct {
	Projects    []string // the only projects that are known; none: any
	Resource    ResourcePolicy
	Correlation CorrelationPolicy
}

// Decode returns what the one delivery of a body tells. The error is a [*Rejection] where it tells nothing.
func (d Decoder) Decode(body []byte, received time.Time) (lifecycle.Observation, error) {
	whole, err := parseDelivery(body, "the delivery")
	if err != nil {
		return lifecycle.Observation{}, err
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
		o.Correlation = d.Correlation.apply(e.record.correlation())
		o.Resource = policies{d.Resource, d.Correlation}.apply(e.whole)
	}
	return o, nil
}
