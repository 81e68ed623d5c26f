package poll

import (
	"log/slog"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A patience holds back deletions that are too many at once: an outage of MK.IO may look like them. It has what waits to
// be confirmed again, and what was recorded without waiting in the time just past, so that many small deletions count
// as one large one. It is lost with the lease; the next holder begins anew.
//
// mu guards what follows it. Under it only the log's cache is looked at.
type patience struct {
	after time.Duration // 0: nothing waits
	log   *slog.Logger
	gauge func(kind lifecycle.Kind, waiting int)
	turn  chan struct{} // holds a token while a deletion below a parent is decided, which asks for others of its kind

	mu      sync.Mutex
	waiting map[lifecycle.Key]absence
	kinds   map[lifecycle.Kind]*absences
}

// An absence is a deletion that waits: of a resource that was found gone and is to be asked for again.
type absence struct {
	since    time.Time // when it was found gone, on our monotonic clock
	sequence uint64    // of its recorded state
	shown    time.Time // when MK.IO last showed that, on its clock; zero: not known
}

// absences are those of one kind. The counts are since something began to wait.
type absences struct {
	waiting, recorded, back int                         // deletions that wait, that were recorded, and resources that are back
	warned                  int                         // how many waited when it was last logged
	lately                  map[lifecycle.Key]time.Time // recorded without waiting, and when
}

// Deletions wait where more than fewGone resources of a kind are gone, and more than one in partGone of those that live.
const (
	fewGone  = 20
	partGone = 5
)

func newPatience(after time.Duration, log *slog.Logger, gauge func(lifecycle.Kind, int), kinds []lifecycle.Kind) *patience {
	w := &patience{
		after: after, log: log, gauge: gauge, turn: make(chan struct{}, 1),
		waiting: map[lifecycle.Key]absence{}, kinds: map[lifecycle.Kind]*absences{},
	}
	for _, kind := range kinds {
		w.kinds[kind] = &absences{lately: map[lifecycle.Key]time.Time{}}
		gauge(kind, 0)
	}
	return w
}

// A living counts the resources of a kind that live, those included that were recorded as Deleted lately.
type living func(lately map[lifecycle.Key]time.Time) int

// tooMany says whether resources of a kind, with those that wait and those recorded lately, are too many to be recorded without
// waiting.
func (w *patience) tooMany(kind lifecycle.Kind, gone []lifecycle.Key, alive living) bool {
	if w.after == 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	many, _ := w.count(kind, gone, alive)
	return many
}

// count is tooMany, and how many live. The caller holds mu.
func (w *patience) count(kind lifecycle.Kind, gone []lifecycle.Key, alive living) (many bool, lives int) {
	a := w.kinds[kind]
	for key, at := range a.lately {
		if time.Since(at) >= w.after {
			delete(a.lately, key)
		}
	}
	n := a.waiting + len(a.lately)
	for _, key := range gone {
		_, waits := w.waiting[key]
		_, counted := a.lately[key]
		if !waits && !counted {
			n++
		}
	}
	if n <= fewGone {
		return false, 0
	}
	lives = alive(a.lately)
	return n*partGone > lives, lives
}

// withhold makes the deletions of resources that were found gone wait if the suspects are too many, and says whether it did.
// The suspects are these resources and those of which it is unclear whether they exist. If they are not too many, withhold
// counts the deletions as recorded, and the caller records them.
func (w *patience) withhold(kind lifecycle.Kind, gone map[lifecycle.Key]absence, suspects []lifecycle.Key, alive living) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	many, lives := w.count(kind, suspects, alive)
	if many {
		w.hold(kind, gone, lives)
		return true
	}
	for key := range gone {
		w.kinds[kind].lately[key] = time.Now()
	}
	return false
}

// withholdAll has resources wait however few they are.
func (w *patience) withholdAll(kind lifecycle.Kind, gone map[lifecycle.Key]absence, alive living) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold(kind, gone, alive(w.kinds[kind].lately))
}

// hold adds to what waits. The caller holds mu.
func (w *patience) hold(kind lifecycle.Kind, gone map[lifecycle.Key]absence, lives int) {
	a, now := w.kinds[kind], time.Now()
	for key, found := range gone {
		if _, waits := w.waiting[key]; waits {
			continue
		}
		delete(a.lately, key)
		found.since = now
		w.waiting[key] = found
		a.waiting++
	}
	w.gauge(kind, a.waiting)
	if a.waiting < 2*a.warned {
		return // it was logged
	}
	a.warned = a.waiting
	w.log.Warn("deletions wait: too many resources of a kind are gone at once, which may be an outage of MK.IO",
		"kind", kind, "count", a.waiting, "living", lives, "until", now.Add(w.after).UTC(),
		"do", "look at the project in MK.IO; if they were deleted on purpose nothing, for they are recorded when MK.IO still answers 404 then; if not, stop the bridge until MK.IO is well")
}

// due sorts what a list lacks of a kind: fresh is what does not wait, over what has waited for long enough. What waited
// and is no longer missing on the list waits no more.
func (w *patience) due(l *list, kind lifecycle.Kind, missing map[lifecycle.Key]lifecycle.Fact) (fresh, over []lifecycle.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.waiting {
		if key.Kind != kind || !l.has(key) {
			continue
		}
		if fact, is := missing[key]; !is || fact.Sequence != w.waiting[key].sequence {
			w.leave(key, false)
		}
	}
	for key := range missing {
		found, waits := w.waiting[key]
		switch {
		case !waits:
			fresh = append(fresh, key)
		case time.Since(found.since) >= w.after:
			over = append(over, key)
		}
	}
	return fresh, over
}

// next is when the first of what waits on a list may be confirmed; false where nothing does.
func (w *patience) next(l *list) (at time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, found := range w.waiting {
		if !l.has(key) {
			continue
		}
		if end := found.since.Add(w.after); !ok || end.Before(at) {
			at, ok = end, true
		}
	}
	return at, ok
}

// find returns what waits of a resource.
func (w *patience) find(key lifecycle.Key) (absence, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found, ok := w.waiting[key]
	return found, ok
}

// waits says whether the deletion of a resource waits.
func (w *patience) waits(key lifecycle.Key) bool {
	_, ok := w.find(key)
	return ok
}

// waitingOf is how many of a kind wait.
func (w *patience) waitingOf(kind lifecycle.Kind) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kinds[kind].waiting
}

// shown ends the waiting of a resource that MK.IO shows.
func (w *patience) shown(key lifecycle.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(key, false)
}

// recorded ends the waiting of a resource of which something was recorded since it was found gone.
func (w *patience) recorded(key lifecycle.Key, fact lifecycle.Fact) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if found, waits := w.waiting[key]; waits && fact.Sequence > found.sequence {
		w.leave(key, lifecycle.SameState(fact.State, lifecycle.StateDeleted))
	}
}

// leave takes a resource from what waits. The caller holds mu.
func (w *patience) leave(key lifecycle.Key, deleted bool) {
	if _, waits := w.waiting[key]; !waits {
		return
	}
	delete(w.waiting, key)
	a := w.kinds[key.Kind]
	a.waiting--
	if deleted {
		a.recorded++
	} else {
		a.back++
	}
	w.gauge(key.Kind, a.waiting)
	if a.waiting == 0 {
		w.log.Info("no deletions of a kind wait any more", "kind", key.Kind, "recorded", a.recorded, "seen_again", a.back)
		a.recorded, a.back, a.warned = 0, 0, 0
	}
}

// forget forgets everything: nothing that was compared counts, or somebody else polls.
func (w *patience) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.waiting)
	for kind := range w.kinds {
		w.kinds[kind] = &absences{lately: map[lifecycle.Key]time.Time{}}
		w.gauge(kind, 0)
	}
}
