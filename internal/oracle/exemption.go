package oracle

import (
	"fmt"
	"slices"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// An Excuse is an event that goes back and is no violation, because nothing could tell the bridge: a replica that lags
// showed what was, with the Date of now and a record that did not change since.
type Excuse struct {
	Key      lifecycle.Key
	Life     string
	Sequence uint64
	State    string
	Shown    time.Time // when the replica showed it
}

func (e Excuse) String() string {
	return fmt.Sprintf("%s, event %d: a replica that lags showed %q at %s with the Date of now, and the record has no time that tells it from the state recorded before",
		e.Key, e.Sequence, e.State, moment(e.Shown))
}

// excused finds what misled the bridge to an event, after the event before it of the same life; ok is false where nothing did, or
// where the records' own times tell that it goes back.
func excused(misled []mkiofake.Misleading, before, e eventlog.Entry, key lifecycle.Key) (found Excuse, ok bool) {
	if before.Sequence == 0 || e.Event.Data.Via == lifecycle.Webhook {
		return Excuse{}, false
	}
	gone := lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted)
	if !gone && e.Fact.Modified.Before(before.Fact.Modified) {
		return Excuse{}, false
	}
	for _, m := range misled {
		if m.Key == key && m.Life == e.Fact.Life && lifecycle.SameState(m.State, e.Fact.State) &&
			!m.At.Before(before.Event.RecordedTime) && !m.At.Truncate(time.Millisecond).After(e.Event.RecordedTime) {
			return Excuse{key, m.Life, e.Sequence, e.Fact.State, m.At}, true
		}
	}
	return Excuse{}, false
}

// excuse notes the excuses of all that was judged.
func (w *Recorder) excuse(all []Excuse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excuses = all
}

// Excuses returns what the last [Witness.Judge] did not judge, and why.
func (w *Recorder) Excuses() []Excuse {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.excuses)
}
