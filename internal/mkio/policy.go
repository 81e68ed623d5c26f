package mkio

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A ResourcePolicy says what becomes of the record that a delivery brings.
type ResourcePolicy uint8

// The policies. Problems are redacted under each.
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

// A CorrelationPolicy says what becomes of correlation data, which is the customer's own: by its keys consumers route.
// It holds for the correlation data of an observation and for the same data within the record, whatever becomes of the
// rest of the record.
type CorrelationPolicy uint8

// The policies.
const (
	CorrelationFull     CorrelationPolicy = iota // passed on as it is
	CorrelationRedacted                          // by the rules of a record
	CorrelationNone                              // left out
)

// ParseCorrelationPolicy reads a policy as operators spell it.
func ParseCorrelationPolicy(s string) (CorrelationPolicy, error) {
	switch s {
	case "full":
		return CorrelationFull, nil
	case "redacted":
		return CorrelationRedacted, nil
	case "none":
		return CorrelationNone, nil
	}
	return 0, fmt.Errorf("%q is none of full, redacted and none", s)
}

// apply returns correlation data as an observation has it; nil where it is no object.
func (p CorrelationPolicy) apply(v value) json.RawMessage {
	switch {
	case !v.isObject() || p == CorrelationNone:
		return nil
	case p == CorrelationFull:
		return compact(v)
	}
	return redact(v)
}

// policies are what holds for a record.
type policies struct {
	resource    ResourcePolicy
	correlation CorrelationPolicy
}

// apply returns a record as an observation has it.
func (p policies) apply(record value) json.RawMessage {
	switch {
	case p.resource == ResourceNone:
		return nil
	case p.resource == ResourceFull && p.correlation == CorrelationFull:
		return compact(record)
	}
	r := newRedactor(record, p.correlation)
	r.verbatim = p.resource == ResourceFull
	r.value(withinResource, "")
	return r.out
}

// compact copies a value without the space between its tokens.
func compact(v value) json.RawMessage {
	var b bytes.Buffer
	_ = json.Compact(&b, v) // it is valid
	return b.Bytes()
}
