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
type waitingDeletions struct {
	patience time.Duration // 0: nothing waits
	log      *slog.Logger
	setGauge func(kind lifecycle.Kind, waiting int)
	sem      chan struct{} // holds a token while a deletion below a parent is decided, which asks for others of its kind

	mu    sync.Mutex
	byKey map[lifecycle.Key]waitingDeletion
	kinds map[lifecycle.Kind]*kindDeletions
}

// An absence is a deletion that waits: of a resource that was found gone and is to be asked for again.
type waitingDeletion struct {
	since    time.Time // when it was found gone, on our monotonic clock
	sequence uint64    // of its recorded state
	lastSeen time.Time // when MK.IO last showed that, on its clock; zero: not known
}

// absences are those of one kind. The counts are since something began to wait.
type kindDeletions struct {
	waiting, recorded, reappeared int                         // deletions that wait, that were recorded, and resources that are back
	logged                        int                         // how many waited when it was last logged
	recent                        map[lifecycle.Key]time.Time // recorded without waiting, and when
}

// Deletions wait where more than fewGone resources of a kind are gone, and more than one in partGone of those that live.
const (
	maxAtOnce         = 20
	maxAtOnceFraction = 5
)

func newWaitingDeletions(patience time.Duration, log *slog.Logger, setGauge func(lifecycle.Kind, int), kinds []lifecycle.Kind) *waitingDeletions {
	d := &waitingDeletions{
		patience: patience, log: log, setGauge: setGauge, sem: make(chan struct{}, 1),
		byKey: map[lifecycle.Key]waitingDeletion{}, kinds: map[lifecycle.Kind]*kindDeletions{},
	}
	for _, kind := range kinds {
		d.kinds[kind] = &kindDeletions{recent: map[lifecycle.Key]time.Time{}}
		setGauge(kind, 0)
	}
	return d
}

// A living counts the resources of a kind that live, those included that were recorded as Deleted lately.
type livingCount func(lately map[lifecycle.Key]time.Time) int

// tooMany says whether resources of a kind, with those that wait and those recorded lately, are too many to be recorded without
// waiting.
func (d *waitingDeletions) tooMany(kind lifecycle.Kind, gone []lifecycle.Key, living livingCount) bool {
	if d.patience == 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	many, _ := d.countGone(kind, gone, living)
	return many
}

// count is tooMany, and how many live. The caller holds mu.
func (d *waitingDeletions) countGone(kind lifecycle.Kind, gone []lifecycle.Key, living livingCount) (many bool, lives int) {
	a := d.kinds[kind]
	for key, at := range a.recent {
		if time.Since(at) >= d.patience {
			delete(a.recent, key)
		}
	}
	n := a.waiting + len(a.recent)
	for _, key := range gone {
		_, waits := d.byKey[key]
		_, counted := a.recent[key]
		if !waits && !counted {
			n++
		}
	}
	if n <= maxAtOnce {
		return false, 0
	}
	lives = living(a.recent)
	return n*maxAtOnceFraction > lives, lives
}

// withhold makes the deletions of resources that were found gone wait if the suspects are too many, and says whether it did.
// The suspects are these resources and those of which it is unclear whether they exist. If they are not too many, withhold
// counts the deletions as recorded, and the caller records them.
func (d *waitingDeletions) holdIfTooMany(kind lifecycle.Kind, gone map[lifecycle.Key]waitingDeletion, suspects []lifecycle.Key, living livingCount) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	many, lives := d.countGone(kind, suspects, living)
	if many {
		d.add(kind, gone, lives)
		return true
	}
	for key := range gone {
		d.kinds[kind].recent[key] = time.Now()
	}
	return false
}

// withholdAll has resources wait however few they are.
func (d *waitingDeletions) holdAll(kind lifecycle.Kind, gone map[lifecycle.Key]waitingDeletion, living livingCount) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(kind, gone, living(d.kinds[kind].recent))
}

// hold adds to what waits. The caller holds mu.
func (d *waitingDeletions) add(kind lifecycle.Kind, gone map[lifecycle.Key]waitingDeletion, lives int) {
	a, now := d.kinds[kind], time.Now()
	for key, deletion := range gone {
		if _, waits := d.byKey[key]; waits {
			continue
		}
		delete(a.recent, key)
		deletion.since = now
		d.byKey[key] = deletion
		a.waiting++
	}
	d.setGauge(kind, a.waiting)
	if a.waiting < 2*a.logged {
		return // it was logged
	}
	a.logged = a.waiting
	d.log.Warn("deletions wait: too many resources of a kind are gone at once, which may be an outage of MK.IO",
		"kind", kind, "count", a.waiting, "living", lives, "until", now.Add(d.patience).UTC(),
		"do", "look at the project in MK.IO; if they were deleted on purpose nothing, for they are recorded when MK.IO still answers 404 then; if not, stop the bridge until MK.IO is well")
}

// due sorts what a list lacks of a kind: fresh is what does not wait, over what has waited for long enough. What waited
// and is no longer missing on the list waits no more.
func (d *waitingDeletions) split(l *list, kind lifecycle.Kind, missing map[lifecycle.Key]lifecycle.Fact) (fresh, expired []lifecycle.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.byKey {
		if key.Kind != kind || !l.has(key) {
			continue
		}
		if fact, is := missing[key]; !is || fact.Sequence != d.byKey[key].sequence {
			d.remove(key, false)
		}
	}
	for key := range missing {
		deletion, waits := d.byKey[key]
		switch {
		case !waits:
			fresh = append(fresh, key)
		case time.Since(deletion.since) >= d.patience:
			expired = append(expired, key)
		}
	}
	return fresh, expired
}

// next is when the first of what waits on a list may be confirmed; false where nothing does.
func (d *waitingDeletions) nextConfirmation(l *list) (at time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, deletion := range d.byKey {
		if !l.has(key) {
			continue
		}
		if end := deletion.since.Add(d.patience); !ok || end.Before(at) {
			at, ok = end, true
		}
	}
	return at, ok
}

// find returns what waits of a resource.
func (d *waitingDeletions) find(key lifecycle.Key) (waitingDeletion, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	deletion, ok := d.byKey[key]
	return deletion, ok
}

// waits says whether the deletion of a resource waits.
func (d *waitingDeletions) waits(key lifecycle.Key) bool {
	_, ok := d.find(key)
	return ok
}

// waitingOf is how many of a kind wait.
func (d *waitingDeletions) countOf(kind lifecycle.Kind) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kinds[kind].waiting
}

// shown ends the waiting of a resource that MK.IO shows.
func (d *waitingDeletions) seen(key lifecycle.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(key, false)
}

// recorded ends the waiting of a resource of which something was recorded since it was found gone.
func (d *waitingDeletions) onEvent(key lifecycle.Key, fact lifecycle.Fact) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if deletion, waits := d.byKey[key]; waits && fact.Sequence > deletion.sequence {
		d.remove(key, lifecycle.SameState(fact.State, lifecycle.StateDeleted))
	}
}

// leave takes a resource from what waits. The caller holds mu.
func (d *waitingDeletions) remove(key lifecycle.Key, deleted bool) {
	if _, waits := d.byKey[key]; !waits {
		return
	}
	delete(d.byKey, key)
	a := d.kinds[key.Kind]
	a.waiting--
	if deleted {
		a.recorded++
	} else {
		a.reappeared++
	}
	d.setGauge(key.Kind, a.waiting)
	if a.waiting == 0 {
		d.log.Info("no deletions of a kind wait any more", "kind", key.Kind, "recorded", a.recorded, "seen_again", a.reappeared)
		a.recorded, a.reappeared, a.logged = 0, 0, 0
	}
}

// forget forgets everything: nothing that was compared counts, or somebody else polls.
func (d *waitingDeletions) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.byKey)
	for kind := range d.kinds {
		d.kinds[kind] = &kindDeletions{recent: map[lifecycle.Key]time.Time{}}
		d.setGauge(kind, 0)
	}
}
