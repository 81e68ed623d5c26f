package poll

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// waitingDeletions holds back deletions when too many of a kind are found at once, because an outage of MK.IO looks the same.
// It has those that wait for a second confirmation, and those that were recorded within the last DeletePatience without waiting:
// many small deletions count as one large one. All of it is lost with the lease; the next holder starts with none.
//
// mu guards the fields below it. Under it only the log's cache is read.
type waitingDeletions struct {
	patience time.Duration // DeletePatience; 0: nothing waits
	log      *slog.Logger
	setGauge func(kind lifecycle.Kind, waiting int)
	sem      chan struct{} // holds a token while holdsBack samples the siblings of a child list

	mu    sync.Mutex
	byKey map[lifecycle.Key]waitingDeletion
	kinds map[lifecycle.Kind]*kindDeletions
}

// A waitingDeletion is the deletion of a resource that was found gone and is to be requested again.
type waitingDeletion struct {
	since    time.Time // when it was found gone, on the local monotonic clock
	sequence uint64    // of the resource's head at that time
	lastSeen time.Time // when MK.IO last showed the recorded state, on its clock; zero: not known
}

// kindDeletions are the deletions of one kind.
type kindDeletions struct {
	waiting              int                         // deletions that wait
	recorded, reappeared int                         // how the wait ended for others, since the first of those that wait
	logged               int                         // the value of waiting when it was last logged
	recent               map[lifecycle.Key]time.Time // deletions that were recorded without waiting, and when
}

// Deletions wait where more than maxAtOnce resources of a kind are gone, and more than one in maxAtOnceDivisor of those living.
const (
	maxAtOnce        = 20
	maxAtOnceDivisor = 5
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

// A livingCount returns how many resources of a kind live, including the given ones, which were recorded as Deleted recently. It
// stops counting at enough.
type livingCount func(recent map[lifecycle.Key]time.Time, enough int) int

// tooMany reports whether gone resources of a kind, together with those that wait and those recorded recently, are too many to be
// recorded at once.
func (d *waitingDeletions) tooMany(kind lifecycle.Kind, gone []lifecycle.Key, living livingCount) bool {
	if d.patience == 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.areTooMany(kind, gone, living)
}

// areTooMany is tooMany for a caller that holds mu.
func (d *waitingDeletions) areTooMany(kind lifecycle.Kind, gone []lifecycle.Key, living livingCount) bool {
	k := d.kinds[kind]
	for key, at := range k.recent {
		if time.Since(at) >= d.patience {
			delete(k.recent, key)
		}
	}
	n := k.waiting + len(k.recent)
	for _, key := range gone {
		_, waits := d.byKey[key]
		_, counted := k.recent[key]
		if !waits && !counted {
			n++
		}
	}
	enough := n * maxAtOnceDivisor
	return n > maxAtOnce && living(k.recent, enough) < enough
}

// holdIfTooMany makes the deletions of gone resources wait if the suspects are too many, and reports whether it did. The suspects
// are the gone resources and those of which it is unclear whether they exist. If they are not too many, the caller must record
// the deletions.
func (d *waitingDeletions) holdIfTooMany(kind lifecycle.Kind, gone map[lifecycle.Key]waitingDeletion, suspects []lifecycle.Key, living livingCount) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.areTooMany(kind, suspects, living) {
		d.add(kind, gone, living)
		return true
	}
	for key := range gone {
		d.kinds[kind].recent[key] = time.Now()
	}
	return false
}

// holdAll makes the deletions of gone resources wait, whatever their number.
func (d *waitingDeletions) holdAll(kind lifecycle.Kind, gone map[lifecycle.Key]waitingDeletion, living livingCount) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(kind, gone, living)
}

// add adds deletions that wait. The caller holds mu.
func (d *waitingDeletions) add(kind lifecycle.Kind, gone map[lifecycle.Key]waitingDeletion, living livingCount) {
	k, now := d.kinds[kind], time.Now()
	for key, deletion := range gone {
		if _, waits := d.byKey[key]; waits {
			continue
		}
		delete(k.recent, key)
		deletion.since = now
		d.byKey[key] = deletion
		k.waiting++
	}
	d.setGauge(kind, k.waiting)
	if k.waiting < 2*k.logged {
		return // logged before; the next line follows when twice as many wait
	}
	k.logged = k.waiting
	d.log.Warn("deletions wait: too many resources of a kind are gone at once, possibly an MK.IO outage",
		"kind", kind, "count", k.waiting, "living", living(k.recent, math.MaxInt), "until", now.Add(d.patience).UTC(),
		"do", "check the project in MK.IO: if the resources were deleted on purpose, do nothing, their deletions are recorded when MK.IO still responds 404 then; otherwise stop the bridge until MK.IO has recovered")
}

// split divides the missing resources of a kind on a list: fresh ones do not wait, expired ones have waited long enough. The
// deletions of resources that are no longer missing stop waiting.
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

// nextConfirmation returns when the first deletion that waits on a list may be confirmed; false where none waits.
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

// find returns the waiting deletion of a resource.
func (d *waitingDeletions) find(key lifecycle.Key) (waitingDeletion, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	deletion, ok := d.byKey[key]
	return deletion, ok
}

// waits reports whether the deletion of a resource waits.
func (d *waitingDeletions) waits(key lifecycle.Key) bool {
	_, ok := d.find(key)
	return ok
}

// countOf returns how many deletions of a kind wait.
func (d *waitingDeletions) countOf(kind lifecycle.Kind) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kinds[kind].waiting
}

// seen ends the wait of a resource because MK.IO shows it.
func (d *waitingDeletions) seen(key lifecycle.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(key, false)
}

// onEvent ends the wait of a resource because an event of it was recorded since it was found gone.
func (d *waitingDeletions) onEvent(key lifecycle.Key, fact lifecycle.Fact) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if deletion, waits := d.byKey[key]; waits && fact.Sequence > deletion.sequence {
		d.remove(key, lifecycle.SameState(fact.State, lifecycle.StateDeleted))
	}
}

// remove ends the wait of a resource. The caller holds mu.
func (d *waitingDeletions) remove(key lifecycle.Key, deleted bool) {
	if _, waits := d.byKey[key]; !waits {
		return
	}
	delete(d.byKey, key)
	k := d.kinds[key.Kind]
	k.waiting--
	if deleted {
		k.recorded++
	} else {
		k.reappeared++
	}
	d.setGauge(key.Kind, k.waiting)
	if k.waiting == 0 {
		d.log.Info("waiting deletions resolved", "kind", key.Kind, "recorded", k.recorded, "seen_again", k.reappeared)
		k.recorded, k.reappeared, k.logged = 0, 0, 0
	}
}

// reset ends all waits: the log was replaced, or another bridge may hold the lease now.
func (d *waitingDeletions) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.byKey)
	for kind := range d.kinds {
		d.kinds[kind] = &kindDeletions{recent: map[lifecycle.Key]time.Time{}}
		d.setGauge(kind, 0)
	}
}
