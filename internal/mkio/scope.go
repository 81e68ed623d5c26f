package mkio

import "slices"

// A scope is the part of a delivery, or of a record, that a value belongs to.
type scope uint8

const (
	withinRecord   scope = iota // everything else: the rules of [redact] apply
	withinEnvelope              // a delivery, or a batch
	withinData
	withinResource   // a record
	withinSection    // a section that can have correlation data
	attributeValue   // an attribute that [Decoder.Decode] reads
	correlationValue // correlation data
)

var envelopeAttributes = []string{"specversion", "id", "type", "source", "time", "datacontenttype"}

var dataAttributes = []string{"projectName", "previousState", "state"}

// of returns the scope of a member's value.
func (s scope) of(name value) scope {
	if s == withinRecord {
		return withinRecord
	}
	key := name.unquoted()
	switch {
	case s == withinEnvelope && slices.Contains(envelopeAttributes, string(key)),
		s == withinData && slices.Contains(dataAttributes, string(key)):
		return attributeValue
	case s == withinEnvelope && string(key) == "data":
		return withinData
	case s == withinData && string(key) == "resource":
		return withinResource
	case s == withinResource && hasCorrelation(sectionOf(key)):
		return withinSection
	case s == withinSection && string(key) == correlationData:
		return correlationValue
	}
	return withinRecord
}

func hasCorrelation(s section) bool { return s == properties || s == spec }
