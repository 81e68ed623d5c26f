package poll

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An errand is one of the ways to ask for a list.
type errand uint8

const (
	looking  errand = iota // at its resources in motion
	changes                // what changed
	sweeping               // all of it
	errands
)

func (e errand) String() string { return [...]string{"look", "changes", "sweep"}[e] }

// A list is what is known of asking for one list. It is guarded by its project's lock.
type list struct {
	mkio.List
	next     [errands]time.Time // when each is due
	busy     [errands]bool
	failures [errands]int // in a row
	warned   time.Time    // when it was last said that resources of it cannot be read

	base    time.Time // on MK.IO's clock: up to here changes were asked for
	swept   swept     // the last sweep that got to its end
	tried   *uint64   // what was recorded when the next was first tried; nil: it was not yet
	idle    int       // sweeps in a row that found nothing new, of lists below a parent
	again   bool      // it is to be swept once more when the sweep under way is over
	changed bool      // something on it was recorded since its last sweep began
	proof   *tally    // of the last sweep that compared everything; nil: there was none
}

// swept is a sweep that got to its end.
type swept struct {
	at      time.Time // when it began, on MK.IO's clock; zero: there was none
	local   time.Time // the same, on ours
	horizon uint64    // what was recorded when it began
}

// A motion is a resource that moves on by itself.
type motion struct {
	key   lifecycle.Key
	list  *list
	fact  lifecycle.Fact
	since time.Time // when it was first found in this state here
	next  time.Time // when it is looked at again
	shown time.Time // on MK.IO's clock: when it was last seen in this state; zero: not yet
}

// An ask is a resource that somebody wants to be looked at.
type ask struct {
	via   lifecycle.Via
	next  time.Time
	tries int
	busy  bool
	// patient is for one that waits for long, and that another replaces.
	patient bool
}

// below says whether the list is one of what lies below a parent.
func (l *list) below() bool { return l.Parent != lifecycle.Key{} }

// has says whether a resource lies on the list.
func (l *list) has(key lifecycle.Key) bool {
	parent, _ := mkio.ParentOf(key)
	return parent == l.Parent && slices.Contains(l.Kinds, key.Kind)
}

// soon brings an errand forward.
func (l *list) soon(e errand, at time.Time) {
	if at.Before(l.next[e]) {
		l.next[e] = at
	}
}
