package mkiofake

import (
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A view is the point in time whose state a request sees.
type view struct {
	at      time.Time // steady; zero: now
	replica bool      // as from a lagging replica: newer resources do not exist either
}

// A staleness is how old the state that a request sees is.
type staleness struct {
	by      time.Duration
	replica bool
}

func (m *MKIO) viewAt(l staleness) view {
	if l.by <= 0 {
		return view{}
	}
	return view{at: m.clock.steady().Add(-l.by), replica: l.replica}
}

// versionOf returns the version of a resource in the view; nil if it does not exist yet.
func (l view) versionOf(r *resource) *version {
	if l.at.IsZero() {
		return r.current
	}
	if l.replica && r.createdSteady.After(l.at) {
		return nil
	}
	v := r.current
	for v.previous != nil && v.steadySince.After(l.at) {
		v = v.previous
	}
	return v
}

// recentlyRemoved returns the removed resources that still exist in the view.
func (l view) recentlyRemoved(removed []*resource) []*resource {
	var visible []*resource
	for _, r := range removed {
		if !l.at.IsZero() && r.deletedSteady.After(l.at) && l.versionOf(r) != nil {
			visible = append(visible, r)
		}
	}
	return visible
}

// resource returns the version of a key in the view; nil if there is none.
func (l view) resource(m *MKIO, p *project, key lifecycle.Key) *version {
	r := m.resources[key]
	if r != nil {
		if v := l.versionOf(r); v != nil {
			return v
		}
	}
	if l.replica {
		for _, old := range l.recentlyRemoved(p.removed[key.Kind]) {
			if old.key == key {
				return l.versionOf(old)
			}
		}
	}
	return nil
}

// trimBefore drops the versions that no view can show any more: those older than the version at a steady time.
func (v *version) trimBefore(limit time.Time) {
	for old := v.previous; old != nil; old = old.previous {
		if !old.steadySince.After(limit) {
			old.previous = nil
		}
	}
}

// maxStaleness is the maximum age of a view.
func (f Faults) maxStaleness() time.Duration { return max(f.StaleBy, f.ReplicaBy) }
