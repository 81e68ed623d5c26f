package mkio

import (
	"net/url"
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

	record record
	whole  value
	policy ResourcePolicy
}

// row reads the record of a known resource.
func (c *Client) row(key lifecycle.Key, r record, whole value) Row {
	row := Row{
		Key: key, Life: r.life(), Created: r.created(), Modified: r.modified(),
		Provisioning: r.text(field{properties, "provisioningState"}),
		record:       r, whole: whole, policy: c.resource,
	}
	row.State, row.Shows = r.state(key)
	return row
}

// listed reads a row of a list; false where it tells no resource. One of a kind that nobody listed has no key.
func (c *Client) listed(l List, v value) (Row, bool) {
	top := v.object()
	r := recordOf(top)
	kind, names, ok := l.namesOf(top, &r)
	if !ok || kind == "" {
		return Row{}, ok
	}
	key, err := lifecycle.NewKey(kind, l.Project, names...)
	if err != nil {
		return Row{}, false
	}
	if _, _, ok := Path(key); !ok {
		return Row{}, false
	}
	return c.row(key, r, v), true
}

// namesOf says which resource a row of the list is.
func (l List) namesOf(top object, r *record) (kind lifecycle.Kind, names []string, ok bool) {
	name, ok := top.text("name")
	if !ok {
		if name, ok = r.at(field{metadata, "name"}).text(); !ok {
			return "", nil, false
		}
	}
	kind = l.source.kinds[0]
	switch kind {
	case lifecycle.Job:
		transform, ok := transformOf(top, name)
		return kind, []string{transform, name}, ok
	case lifecycle.LiveOutput:
		return kind, []string{l.Parent.Name(), name}, true
	case lifecycle.ScheduledOperation:
		return kind, []string{string(l.Parent.Kind), l.Parent.Name(), name}, true
	case lifecycle.LiveChannel:
		kind, ok = liveKindOf(top, r)
		return kind, []string{name}, ok
	}
	return kind, []string{name}, true
}

// transformOf finds a job's transform, which only its id names: …/transforms/{t}/jobs/{j}.
func transformOf(top object, job string) (string, bool) {
	id, _ := top.text("id")
	segments := strings.Split(id, "/")
	for i := len(segments) - 4; i >= 0; i-- {
		if !strings.EqualFold(segments[i], "transforms") || !strings.EqualFold(segments[i+2], "jobs") {
			continue
		}
		transform := segments[i+1]
		if segments[i+3] != job { // then the id is encoded
			if decoded, err := url.PathUnescape(transform); err == nil {
				transform = decoded
			}
		}
		return transform, transform != ""
	}
	return "", false
}

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
// one. Who asked, and what was known before, is for the caller to add, and so is the record ([Row.AddRecord]).
func (r Row) Observation() lifecycle.Observation {
	path, inside, _ := Path(r.Key)
	o := lifecycle.Observation{
		Key: r.Key, State: r.State, Life: r.Life, Created: r.Created,
		Source: path, Subject: inside,
	}
	if r.Shows {
		o.Modified, o.Provisioning = r.Modified, r.Provisioning
	}
	return o
}

// AddRecord gives an observation the record and what it sums up, redacted.
func (r Row) AddRecord(o *lifecycle.Observation) {
	o.Problems = r.record.problems()
	o.Correlation = r.record.correlation()
	o.Resource = r.policy.apply(r.whole)
}
