package poll

import (
	"context"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// The poller's view of the event log is split into five small interfaces, by caller. One value may implement all of them, as the
// publisher does. All reflect the events of every bridge.

// An Observer decides what becomes of an observation, and records the event if there is one.
type Observer interface {
	// Compare returns the verdict that Observe is likely to have, from the cached heads alone: a full sweep compares many
	// observations, and most become no event. A verdict of news is not final: the caller must call Observe. current is false
	// where o.Basis is not the sequence of the head of the resource token.
	Compare(resource string, o lifecycle.Observation) (verdict lifecycle.Verdict, current bool)
	// Observe decides and records. After an error the log may or may not have the event; observing again is safe.
	Observe(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// A Log reports the condition of the event log.
type Log interface {
	// Unavailable returns why the log cannot be written now; nil when it can.
	Unavailable() error
	// Epoch returns a number that changes when the log was found to be another one, or to have lost its end. Comparisons with
	// the log of another epoch are void.
	Epoch() uint64
	// Horizon returns the highest sequence that the log is known to have.
	Horizon() uint64
}

// Heads returns the last event of each resource, from the log's cache.
type Heads interface {
	// Token returns the token of a resource. KeyOf returns the resource of a token, for which it may have to read the log.
	Token(key lifecycle.Key) string
	KeyOf(ctx context.Context, resource string) (lifecycle.Key, error)
	// Last returns the last event of a resource; nil where there is none.
	Last(resource string) *lifecycle.Fact
}

// An Inventory lists the resources of a kind and project that the log has, from its cache.
type Inventory interface {
	// Living returns the tokens of the resources that are not recorded as Deleted; InMotion of those in motion; Count how many
	// live, and how many are recorded as Deleted.
	Living(kind lifecycle.Kind, project string) []string
	InMotion(kind lifecycle.Kind, project string) []string
	Count(kind lifecycle.Kind, project string) (living, deleted int)
	// Changed returns the tokens of the project's resources, of all kinds, whose last event changed after a version of the cache,
	// some of them more than once, and the present version. complete is false where it cannot list them all, as for version 0.
	Changed(project string, since uint64) (resources []string, version uint64, complete bool)
}

// CoverageRecords stores the records of what was compared with MK.IO.
type CoverageRecords interface {
	// StoreCoverage stores a record. LastCoverage returns the last record of a kind; false where there is none.
	StoreCoverage(ctx context.Context, c event.Coverage) error
	LastCoverage(ctx context.Context, project string, kind lifecycle.Kind) (event.Coverage, bool, error)
}

// A head is the recorded state of a resource, from the log's cache. It is looked up once for each row, because a full sweep has
// many.
type head struct {
	resource string          // its token
	fact     *lifecycle.Fact // its last event; nil: there is none
}

// deleted reports whether the resource is recorded as Deleted.
func (h head) deleted() bool {
	return h.fact != nil && lifecycle.SameState(h.fact.State, lifecycle.StateDeleted)
}

// sequence returns the sequence of the last event; 0: there is none.
func (h head) sequence() uint64 {
	if h.fact == nil {
		return 0
	}
	return h.fact.Sequence
}

// expectedSequence returns what a write of the next event must expect as the resource's last sequence: 0 if it has no event.
func (h head) expectedSequence() *uint64 {
	if h.fact == nil {
		return new(uint64)
	}
	return &h.fact.Sequence
}
