package mkio

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A ResourcePolicy decides how a delivery's record is published.
type ResourcePolicy uint8

// The policies. Problems are redacted under each of them.
const (
	ResourceRedacted ResourcePolicy = iota // without its secrets
	ResourceFull                           // unchanged
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
	return 0, fmt.Errorf("%q is not one of full, redacted, none", s)
}

// A CorrelationPolicy decides how correlation data is published. It is the customer's own data, and
// consumers route by it. The policy holds for the correlation data of an observation and for the same data within the record,
// independent of the record's policy.
type CorrelationPolicy uint8

// The policies.
const (
	CorrelationFull     CorrelationPolicy = iota // unchanged
	CorrelationRedacted                          // redacted like a record
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
	return 0, fmt.Errorf("%q is not one of full, redacted, none", s)
}

// apply returns correlation data by its policy; nil if it is not an object.
func (p CorrelationPolicy) apply(v value) json.RawMessage {
	switch {
	case !v.isObject() || p == CorrelationNone:
		return nil
	case p == CorrelationFull:
		return compact(v)
	}
	return redact(v)
}

// policies are the policies for a record.
type policies struct {
	resource    ResourcePolicy
	correlation CorrelationPolicy
}

// apply returns a record by its policies.
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

// compact copies a value without insignificant space.
func compact(v value) json.RawMessage {
	var b bytes.Buffer
	_ = json.Compact(&b, v) // a value is valid JSON
	return b.Bytes()
}
