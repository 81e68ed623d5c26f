package mkiofake

import (
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A look says of which moment a request is answered.
type look struct {
	at    time.Time // steady; zero: now
	whole bool      // nothing of it is newer, as from a replica that lags: what was made since is not there
}

// A lag is how long ago an answer is of.
type lag struct {
	by    time.Duration
	whole bool
}

func (m *MKIO) lookAt(l lag) look {
	if l.by <= 0 {
		return look{}
	}
	return look{at: m.clock.steady().Add(-l.by), whole: l.whole}
}

// seen is the version of a resource that a request is shown; nil where it does not exist yet.
func (l look) seen(r *resource) *version {
	if l.at.IsZero() {
		return r.now
	}
	if l.whole && r.began.After(l.at) {
		return nil
	}
	v := r.now
	for v.before != nil && v.from.After(l.at) {
		v = v.before
	}
	return v
}

// lately returns those of removed resources that a request is still shown.
func (l look) lately(removed []*resource) []*resource {
	var shown []*resource
	for _, r := range removed {
		if !l.at.IsZero() && r.ended.After(l.at) && l.seen(r) != nil {
			shown = append(shown, r)
		}
	}
	return shown
}

// resource is the one of a name that a request is shown; nil where there is none.
func (l look) resource(m *MKIO, p *project, key lifecycle.Key) *version {
	r := m.resources[key]
	if r != nil {
		if v := l.seen(r); v != nil {
			return v
		}
	}
	if l.whole {
		for _, old := range l.lately(p.removed[key.Kind]) {
			if old.key == key {
				return l.seen(old)
			}
		}
	}
	return nil
}

// forgetBefore lets go of the versions before one that nobody is shown any more: all but the one right before it, and
// those back to the one that was there at a moment.
func (v *version) forgetBefore(moment time.Time) {
	for old := v.before; old != nil; old = old.before {
		if !old.from.After(moment) {
			old.before = nil
		}
	}
}

// longestAgo is the oldest state that is shown.
func (f Faults) longestAgo() time.Duration { return max(f.StaleBy, f.ReplicaBy) }
