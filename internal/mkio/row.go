package mkio

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Row is a resource's record as a list or a single answer shows it.
type Row struct {
	Key          lifecycle.Key
	State        string // where Shows
	Shows        bool   // the kind's record shows its state
	Provisioning string
	Life         string
	Created      time.Time
	Modified     time.Time

	whole    value
	policies policies
}

// A rowReader reads rows, one after the other. Most rows of a sweep are as they were, and nothing is asked of them but what
// stands in [Row]: so it makes no room for each row.
type rowReader struct {
	top      object
	record   record
	policies policies
}

// open has a record read.
func (r *rowReader) open(v value) {
	r.top = r.top.refilled(v)
	for s := nowhere + 1; s < sectionCount; s++ {
		r.record.sections[s] = r.record.sections[s].refilled(r.top.at(sectionNames[s]))
	}
}

// refilled is [value.object] in the room of an object that nobody needs any more.
func (o object) refilled(v value) object {
	o = o[:0]
	for name, element := range v.members() {
		o = append(o, member{name.unquoted(), element})
	}
	return o
}

// row returns the record, which is that of a known resource.
func (r *rowReader) row(key lifecycle.Key, whole value) Row {
	row := Row{
		Key: key, Life: r.record.life(), Created: r.record.created(), Modified: r.record.modified(),
		whole: whole, policies: r.policies,
	}
	row.Provisioning = r.record.text(field{properties, "provisioningState"})
	row.State, row.Shows = r.record.state(key)
	return row
}

// single returns the record of a known resource.
func (c *Client) single(key lifecycle.Key, v value) Row {
	r := rowReader{policies: c.policies}
	r.open(v)
	return r.row(key, v)
}

// listed reads a row of a list; false where it tells no resource. One of a kind that nobody listed has no key.
func (r *rowReader) listed(l List, v value) (Row, bool) {
	r.open(v)
	key, ok := r.keyOf(l)
	if !ok || key.Kind == "" {
		return Row{}, ok
	}
	if !reachable(key) {
		return Row{}, false
	}
	return r.row(key, v), true
}

// reachable says whether a path leads to a resource, as [Path] does.
func reachable(key lifecycle.Key) bool {
	var room [lifecycle.MaxDepth]string
	unusable := func(name string) bool { return !usable(name) }
	_, ok := placeOf(key)
	return ok && usable(key.Project) && !slices.ContainsFunc(key.AppendNames(room[:0]), unusable)
}

// keyOf says which resource the row of the list is.
func (r *rowReader) keyOf(l List) (key lifecycle.Key, ok bool) {
	name, ok := r.top.text("name")
	if !ok {
		if name, ok = r.record.at(field{metadata, "name"}).text(); !ok {
			return lifecycle.Key{}, false
		}
	}
	var err error
	switch kind := l.source.kinds[0]; kind {
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

// transformOf finds a job's transform, which only its id names: …/transforms/{t}/jobs/{j}. It is "" where there is none.
func (r *rowReader) transformOf(job string) string {
	id := r.top.at("id")
	if id.null() || id[0] != '"' {
		return ""
	}
	var window [4][]byte // segments that follow each other
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
		if string(window[3]) != job { // then the id is encoded
			if decoded, err := url.PathUnescape(string(window[1])); err == nil {
				return decoded
			}
		}
		return string(window[1])
	}
	return ""
}

// The collections in the id of a job.
var transforms, jobs = []byte("transforms"), []byte("jobs")

// liveKindOf tells the kinds of the Live API apart: by the transform, else by the record's own kind. The kind is ""
// for a word that nobody listed.
func liveKindOf(top object, r *record) (lifecycle.Kind, bool) {
	word, _ := plainText(r.at(field{spec, "transform"}).object().at("type"))
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

// Observation is what the row says, in the state that it shows or, for kinds that show none, in the given
// one. Who asked, and what was known before, is for the caller to add, and so is what only an event needs
// ([Row.AddRecord]).
func (r Row) Observation() lifecycle.Observation {
	o := lifecycle.Observation{Key: r.Key, State: r.State, Life: r.Life, Created: r.Created}
	if r.Shows {
		o.Modified, o.Provisioning = r.Modified, r.Provisioning
	}
	return o
}

// AddRecord gives an observation the resource's path, and the record and what it sums up, as the policies have it.
func (r Row) AddRecord(o *lifecycle.Observation) {
	record := recordOf(r.whole)
	o.Source, o.Subject, _ = Path(r.Key)
	o.Problems = record.problems()
	o.Correlation = r.policies.correlation.apply(record.correlation())
	o.Resource = r.policies.apply(r.whole)
}
