package event

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// append appends an event as structured JSON. It avoids reflection, because it runs for every delivery. The result is that
// of encoding/json, with members in the order of the CloudEvents SDK.
//
// base is prepended to the source.
func (e *Event) append(b []byte, base string) []byte {
	b = append(b, '{')
	b = member(b, "specversion", e.SpecVersion)
	b = member(b, "id", e.ID)
	var buffer [tokenCapacity]byte
	b = member(b, "source", append(append(buffer[:0], base...), e.Source...))
	b = member(b, "type", e.Type)
	b = member(b, "subject", e.Subject)
	b = member(b, "datacontenttype", e.DataContentType)
	b = member(b, "dataschema", e.DataSchema)
	b = timeMember(b, "time", &e.Time)
	b = e.Data.append(key(b, "data"))
	b = append(b, ',')
	b = member(b, "partitionkey", e.PartitionKey)
	b = timeMember(b, "recordedtime", &e.RecordedTime)
	b = optionalText(b, "traceparent", e.TraceParent)
	b = optionalText(b, "tracestate", e.TraceState)
	return closeObject(b)
}

func (d *Data) append(b []byte) []byte {
	b = append(b, '{')
	b = member(b, "kind", d.Kind)
	b = member(b, "project", d.Project)
	b = member(b, "name", d.Name)
	b = append(key(b, "path"), '[')
	for i, name := range d.Path {
		if i > 0 {
			b = append(b, ',')
		}
		b = quoted(b, name)
	}
	b = append(b, "],"...)
	b = number(b, "transition", d.Transition)
	b = optionalText(b, "previousHash", d.PreviousHash)
	b = optionalMember(b, "previousState", d.PreviousState)
	b = member(b, "state", d.State)
	b = optionalText(b, "previousPhase", d.PreviousPhase)
	b = member(b, "phase", d.Phase)
	b = member(b, "provisioningState", d.ProvisioningState)
	b = appendProblems(b, d.Errors)
	b = d.Evidence.append(key(b, "evidence"))
	b = append(b, ',')
	b = member(b, "via", d.Via)
	b = optionalMember(b, "reportedPreviousState", d.ReportedPreviousState)
	if d.Delivery != nil {
		b = d.Delivery.append(key(b, "delivery"))
		b = append(b, ',')
	}
	b = raw(b, "correlationData", d.CorrelationData)
	b = raw(b, "resource", d.Resource)
	b = optionalText(b, "resourceOmitted", d.ResourceOmitted)
	return closeObject(b)
}

func appendProblems(b []byte, problems []Problem) []byte {
	if len(problems) == 0 {
		return b
	}
	b = append(key(b, "errors"), '[')
	for i, p := range problems {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = optionalText(b, "code", p.Code)
		b = closeObject(member(b, "message", p.Message))
	}
	return append(b, "],"...)
}

func (e *Evidence) append(b []byte) []byte {
	b = append(b, '{')
	b = optionalText(b, "life", e.Life)
	b = timeMember(b, "modified", e.Modified)
	b = timeMember(b, "seenAfter", e.SeenAfter)
	b = timeMember(b, "seenBefore", e.SeenBefore)
	b = member(b, "timeFrom", e.TimeFrom)
	if e.PreviousSequence > 0 {
		b = number(b, "previousSequence", e.PreviousSequence)
	}
	return closeObject(b)
}

func (d *Delivery) append(b []byte) []byte {
	b = append(b, '{')
	b = member(b, "id", d.ID)
	b = member(b, "type", d.Type)
	b = timeMember(b, "time", d.Time)
	return closeObject(timeMember(b, "receivedTime", &d.ReceivedTime))
}

// closeObject replaces the comma after an object's last member by a closing brace.
func closeObject(b []byte) []byte {
	b[len(b)-1] = '}'
	return b
}

func key(b []byte, name string) []byte {
	b = append(b, '"')
	b = append(b, name...)
	return append(b, `":`...)
}

// quoted appends a JSON string. Invalid UTF-8 becomes U+FFFD, as in encoding/json.
func quoted[S ~string | ~[]byte](b []byte, s S) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

func member[S ~string | ~[]byte](b []byte, name string, s S) []byte {
	return append(quoted(key(b, name), s), ',')
}

// optionalText appends a member unless it is empty.
func optionalText[S ~string](b []byte, name string, s S) []byte {
	if s == "" {
		return b
	}
	return member(b, name, s)
}

// optionalMember appends a member unless it is nil.
func optionalMember(b []byte, name string, s *string) []byte {
	if s == nil {
		return b
	}
	return member(b, name, *s)
}

func number(b []byte, name string, n uint64) []byte {
	return append(strconv.AppendUint(key(b, name), n, 10), ',')
}

// timeMember appends a time unless it is nil.
func timeMember(b []byte, name string, t *time.Time) []byte {
	if t == nil {
		return b
	}
	b = append(key(b, name), '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, `",`...)
}

// raw appends a member with a JSON value, unless that is empty.
func raw(b []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	return append(append(key(b, name), value...), ',')
}
