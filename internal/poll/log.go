package poll

import (
	"context"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// What a poller needs of the event log is in five small interfaces, by who needs it. One value may implement all of them, as
// the publisher does. Each reflects what any bridge records.

// An Observer makes of an observation the resource's next event, or none.
type Observer interface {
	// Compare says what Observe would make of an observation, by the cached heads alone: a sweep compares many, and most
	// are no news. Its news is a question to Observe, not an answer. current is false where the head of the resource token
	// is not the one that the observation rests on.
	Compare(resource string, o lifecycle.Observation) (verdict lifecycle.Verdict, current bool)
	// Observe records the event. An error says that the log cannot take it now; to observe it again is safe.
	Observe(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error)
}

// A Log tells how the event log is.
type Log interface {
	// Trouble says why the log cannot take anything now; nil when it can.
	Trouble() error
	// Epoch changes when the log turned out to be another one, or to have lost its end: what was compared with it
	// before counts no more.
	Epoch() uint64
	// Horizon is the highest sequence that the log is known to have.
	Horizon() uint64
}

// Heads has the last event of each resource, by its token.
type Heads interface {
	// Token returns a resource's token, KeyOf the resource of a token, for which it may have to read the log.
	Token(key lifecycle.Key) string
	KeyOf(ctx context.Context, resource string) (lifecycle.Key, error)
	// Last returns a resource's last event, nil where there is none.
	Last(resource string) *lifecycle.Fact
}

// An Inventory says which resources of a kind and project the log has.
type Inventory interface {
	// Resources returns their last events by resource token, InMotion those of resources in motion, Tokens the tokens
	// alone, Count how many there are.
	Resources(kind lifecycle.Kind, project string) map[string]lifecycle.Fact
	InMotion(kind lifecycle.Kind, project string) map[string]lifecycle.Fact
	Tokens(kind lifecycle.Kind, project string) []string
	Count(kind lifecycle.Kind, project string) int
}

// CoverageRecords are records of what was compared with MK.IO.
type CoverageRecords interface {
	// StoreCoverage stores a record, LastCoverage returns the last one of a kind; false where there is none.
	StoreCoverage(ctx context.Context, c event.Coverage) error
	LastCoverage(ctx context.Context, project string, kind lifecycle.Kind) (event.Coverage, bool, error)
}

// A head is the recorded state of a resource, as the log's cache has it. It is looked up once for a row, because a sweep has
// many rows.
type head struct {
	resource string          // its token
	fact     *lifecycle.Fact // its last event; nil: there is none
}

// deleted says whether the resource is recorded as gone.
func (h head) deleted() bool {
	return h.fact != nil && lifecycle.SameState(h.fact.State, lifecycle.StateDeleted)
}

// sequence is that of the last event; 0: there is none.
func (h head) sequence() uint64 {
	if h.fact == nil {
		return 0
	}
	return h.fact.Sequence
}

// basis is the sequence that a write behind the head expects: 0 if nothing is recorded.
func (h head) expectedSequence() *uint64 {
	if h.fact == nil {
		return new(uint64)
	}
	return &h.fact.Sequence
}
