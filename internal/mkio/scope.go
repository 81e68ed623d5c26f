package mkio

import "slices"

// A scope says where in a delivery, or in a record, a value stands.
type scope uint8

const (
	withinRecord   scope = iota // below all others: the rules of [redact] apply
	withinEnvelope              // a delivery, or a batch of them
	withinData
	withinResource   // a record
	withinSection    // one of its sections that has correlation data
	attributeValue   // what [Decoder.Decode] reads of a delivery
	correlationValue // the customer's own
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
