package mkio

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Row is a resource's record, from a list or a single response.
type Row struct {
	Key          lifecycle.Key
	State        string // if HasState
	HasState     bool   // the kind's record has a state
	Provisioning string
	Life         string
	Created      time.Time
	Modified     time.Time

	raw      value
	policies policies
}

// A rowReader reads one row after the other and reuses its memory: most rows of a sweep are unchanged, and only the fields of
// [Row] are read of them.
type rowReader struct {
	top      object
	record   record
	policies policies
}

// open parses a record.
func (r *rowReader) open(v value) {
	r.top = r.top.refill(v)
	r.record.found = v.isObject()
	for s := noSection + 1; s < sectionCount; s++ {
		r.record.sections[s] = r.record.sections[s].refill(r.top.at(sectionNames[s]))
	}
}

// refill is [value.object] in the memory of an object that is no longer needed.
func (o object) refill(v value) object {
	o = o[:0]
	for name, element := range v.members() {
		o = append(o, member{name.unquoted(), element})
	}
	return o
}

// row returns the row of an opened record whose key is known.
func (r *rowReader) row(key lifecycle.Key, whole value) Row {
	row := Row{
		Key: key, Life: r.record.life(), Created: r.record.created(), Modified: r.record.modified(),
		raw: whole, policies: r.policies,
	}
	row.Provisioning = r.record.provisioning(key)
	row.State, row.HasState = r.record.state(key)
	return row
}

// rowOf returns the row of a single record.
func (c *Client) rowOf(key lifecycle.Key, v value) Row {
	r := rowReader{policies: c.policies}
	r.open(v)
	return r.row(key, v)
}

// listRow reads a row of a list; false if it identifies no resource. A row of an unknown kind has an empty key.
func (r *rowReader) listRow(l List, v value) (Row, bool) {
	r.open(v)
	key, ok := r.keyOf(l)
	if !ok || key.Kind == "" {
		return Row{}, ok
	}
	if !hasPath(key) {
		return Row{}, false
	}
	return r.row(key, v), true
}

// hasPath reports whether a resource has an API path, like [Path] but without building it.
func hasPath(key lifecycle.Key) bool {
	var buffer [lifecycle.MaxDepth]string
	unusable := func(name string) bool { return !validName(name) }
	_, ok := locationOf(key)
	return ok && validName(key.Project) && !slices.ContainsFunc(key.AppendNames(buffer[:0]), unusable)
}

// keyOf returns the key of the opened record.
func (r *rowReader) keyOf(l List) (key lifecycle.Key, ok bool) {
	name, ok := r.top.text("name")
	if !ok {
		if name, ok = r.record.at(memberPath{metadata, "name"}).text(); !ok {
			return lifecycle.Key{}, false
		}
	}
	var err error
	switch kind := l.endpoint.kinds[0]; kind {
	case lifecycle.Job:
		key, err = lifecycle.NewKey(kind, l.Project, r.transformOf(name), name)
	case lifecycle.LiveOutput:
		key, err = lifecycle.NewKey(kind, l.Project, l.Parent.Name(), name)
	case lifecycle.ScheduledOperation:
		key, err = lifecycle.NewKey(kind, l.Project, string(l.Parent.Kind), l.Parent.Name(), name)
	case lifecycle.LiveChannel:
		if kind, ok = liveKindOf(r.top, &r.record); kind == "" {
			return lifecycle.Key{}, ok
		}
		key, err = lifecycle.NewKey(kind, l.Project, name)
	default:
		key, err = lifecycle.NewKey(kind, l.Project, name)
	}
	return key, err == nil
}

// transformOf returns a job's transform, which only its id names: …/transforms/{t}/jobs/{j}; "" if there is none.
func (r *rowReader) transformOf(job string) string {
	id := r.top.at("id")
	if id.isNull() || id[0] != '"' {
		return ""
	}
	var window [4][]byte // four consecutive segments
	rest, more := id.unquoted(), true
	for count := 1; more; count++ {
		segment := rest
		if at := bytes.LastIndexByte(rest, '/'); at >= 0 {
			segment, rest = rest[at+1:], rest[:at]
		} else {
			more = false
		}
		copy(window[1:], window[:])
		window[0] = segment
		if count < len(window) || !bytes.EqualFold(window[0], transforms) || !bytes.EqualFold(window[2], jobs) {
			continue
		}
		if string(window[3]) != job { // then the id is percent-encoded
			if decoded, err := url.PathUnescape(string(window[1])); err == nil {
				return decoded
			}
		}
		return string(window[1])
	}
	return ""
}

// Collections in the id of a job.
var transforms, jobs = []byte("transforms"), []byte("jobs")

// liveKindOf returns the kind of a Live API record: by its transform, else by its own kind. The kind is "" for an unknown
// word, and ok is false without any.
func liveKindOf(top object, r *record) (lifecycle.Kind, bool) {
	word, _ := plainText(r.at(memberPath{spec, "transform"}).object().at("type"))
	if word == "" {
		word, _ = top.text("kind")
	}
	switch strings.ToLower(word) {
	case "livechannel":
		return lifecycle.LiveChannel, true
	case "liveevent":
		return lifecycle.LiveAPIEvent, true
	case "staticmultiviewchannel":
		return lifecycle.StaticMultiviewChannel, true
	case "staticmultiviewevent":
		return lifecycle.StaticMultiviewEvent, true
	}
	return "", word != ""
}

// Observation returns the row's observation. For kinds whose records have no state the caller adds it, and in any case
// Via, the poll window and, for an event only, the record ([Row.AddRecord]).
func (r Row) Observation() lifecycle.Observation {
	o := lifecycle.Observation{Key: r.Key, State: r.State, Life: r.Life, Created: r.Created}
	if r.HasState {
		o.Modified, o.Provisioning = r.Modified, r.Provisioning
	}
	return o
}

// AddRecord adds the resource's path and its record, problems and correlation data to an observation, by the policies.
func (r Row) AddRecord(o *lifecycle.Observation) {
	record := recordOf(r.raw)
	o.Source, o.Subject, _ = Path(r.Key)
	o.Problems = record.problems()
	o.Correlation = r.policies.correlation.apply(record.correlationObject())
	o.Resource = r.policies.apply(r.raw)
}

// LacksReason reports whether a row shows a failed resource of the Live API and does not say why: [Client.GetDetailed] may.
func (r Row) LacksReason() bool {
	if !slices.Contains(liveKinds, r.Key.Kind) || lifecycle.PhaseOf(r.Key.Kind, r.State, r.Provisioning) != lifecycle.Failed {
		return false
	}
	record := recordOf(r.raw)
	return len(record.problems()) == 0
}
