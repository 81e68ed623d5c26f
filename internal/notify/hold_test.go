package notify

import "testing"

// A rule that groups holds the content of the newest event of each group only, in whatever order the backlog comes.
func TestGroupsHoldTheNewestContent(t *testing.T) {
	t.Parallel()
	s := &session{
		worker:  &worker{rule: &Rule{RuleConfig: RuleConfig{Group: &Group{By: ByProject}}}},
		arrived: make(chan struct{}, 1), held: map[uint64]*item{}, newest: map[string]*item{},
	}
	for _, it := range []*item{{sequence: 2, lane: "news"}, {sequence: 7, lane: "news"}, {sequence: 3, lane: "sport"}, {sequence: 5, lane: "news"}} {
		it.payload = []byte("content")
		s.hold(it)
	}
	for sequence, want := range map[uint64]bool{2: false, 7: true, 3: true, 5: false} {
		if got := s.held[sequence].payload != nil; got != want {
			t.Errorf("event %d is held with its content: %t, want %t", sequence, got, want)
		}
	}
}
