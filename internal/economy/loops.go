package economy

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// Every is the interval of the loops.
const Every = 5 * time.Second

// A Loop asks MK.IO at fixed instants: at the begin of the day and every [Every] after it. At the begin it knows everything
// that exists.
type Loop struct {
	Name string
	// requests returns how many requests it makes at each of the instants.
	requests func(t Timeline, lists []mkio.List) perInstant
	// seesDeletions: a list of changes does not show what is gone.
	seesDeletions bool
}

// Loops returns the three loops.
func Loops() []Loop {
	return []Loop{
		{Name: "loop over each `/state`", requests: askEachState, seesDeletions: true},
		{Name: "loop over all lists", requests: listEverything, seesDeletions: true},
		{Name: "loop over lists of changes", requests: listChanges, seesDeletions: false},
	}
}

// Run returns what a loop costs and sees on a day.
func (l Loop) Run(t Timeline, kinds []lifecycle.Kind) Result {
	r := t.judge(func(life *Life, i int) (time.Duration, bool) {
		c := life.Changes[i]
		at := time.Duration(firstInstant(c.At)) * Every
		return at, at < life.until(i) && (l.seesDeletions || !c.isDeletion())
	})
	r.Requests, r.MostPerMinute = l.requests(t, mkio.Lists(Project, kinds)).total()
	return r
}

// Oracle returns what it would cost to ask once after each change, by knowing of it from elsewhere.
func Oracle(t Timeline) Result {
	r := t.judge(func(life *Life, i int) (time.Duration, bool) { return life.Changes[i].At, true })
	asked := t.changeTimes()
	r.Requests, r.MostPerMinute = len(asked), mostPerMinute(asked)
	return r
}

// askEachState asks for each resource that exists, and once for one that is gone.
func askEachState(t Timeline, _ []mkio.List) perInstant {
	requests := newPerInstant(t)
	for _, life := range t.Lives {
		requests.addOneEach(life.created(), life.deleted())
	}
	return requests
}

// listEverything walks all pages of all lists.
func listEverything(t Timeline, lists []mkio.List) perInstant {
	return walk(t, lists, perInstant.addExisting)
}

// listChanges walks all pages of what was modified since the instant before.
func listChanges(t Timeline, lists []mkio.List) perInstant {
	return walk(t, lists, perInstant.addModified)
}

// walk counts the pages of lists, whose rows addRows adds for each life, and what lists of a project cannot show: children,
// which have a list below each parent, and the states of assets and content key policies, which are asked for one by one until
// they are at rest.
func walk(t Timeline, lists []mkio.List, addRows func(perInstant, *Life)) perInstant {
	requests := newPerInstant(t)
	for _, life := range t.Lives {
		if _, ok := mkio.ListBelow(life.Key); ok {
			requests.addExisting(life)
		}
	}
	for _, list := range lists {
		rows := newPerInstant(t)
		for _, life := range t.Lives {
			if !slices.Contains(list.Kinds, life.Key.Kind) {
				continue
			}
			addRows(rows, life)
			if list.Stateless() {
				requests.addOneEach(life.created(), life.restOrEnd())
			}
		}
		requests.addPages(rows)
	}
	return requests
}

// restOrEnd returns when a life came to rest for the first time, or was deleted.
func (l *Life) restOrEnd() time.Duration {
	for _, c := range l.Changes {
		if c.isDeletion() || l.restsIn(c) {
			return c.At
		}
	}
	return never
}

// A perInstant is a number for each instant of a loop, as differences from the instant before.
type perInstant struct{ differences []int }

func newPerInstant(t Timeline) perInstant {
	return perInstant{make([]int, firstInstant(t.Length)+1)} // the last one is after the day
}

// firstInstant returns the first instant at or after an offset.
func firstInstant(at time.Duration) int {
	if at <= 0 {
		return 0
	}
	return int((at-1)/Every) + 1
}

// add adds one to each instant of a half-open interval.
func (p perInstant) add(from, until int) {
	last := len(p.differences) - 1
	p.differences[min(from, last)]++
	p.differences[min(until, last)]--
}

// addExisting adds one to each instant at which a life exists.
func (p perInstant) addExisting(life *Life) {
	p.add(firstInstant(life.created()), firstInstant(life.deleted()))
}

// addOneEach adds one request for each instant at which a loop asks, from the first that finds the resource to the one that
// finds the end: a state of rest, or a 404. It adds none for an end before the day.
func (p perInstant) addOneEach(from, end time.Duration) {
	if end >= 0 {
		p.add(firstInstant(from), firstInstant(end)+1)
	}
}

// addModified adds one row for each instant whose list of changes has a life: it was modified after the instant before, and
// still exists.
func (p perInstant) addModified(life *Life) {
	last := -1
	for _, c := range life.Changes {
		at := firstInstant(c.At)
		if c.At <= 0 || c.isDeletion() || at == last || time.Duration(at)*Every >= life.deleted() {
			continue
		}
		p.add(at, at+1)
		last = at
	}
}

// addPages adds the pages of lists with so many rows. An empty list has one page.
func (p perInstant) addPages(rows perInstant) {
	count, before := 0, 0
	for i, difference := range rows.differences[:len(rows.differences)-1] {
		count += difference
		pages := max(1, (count+mkio.PageSize-1)/mkio.PageSize)
		p.differences[i] += pages - before
		before = pages
	}
}

// total returns the sum, and the largest sum of the instants within 60 seconds.
func (p perInstant) total() (sum, mostPerMinute int) {
	const perMinute = int(time.Minute / Every)
	n, inMinute := 0, 0
	var counts []int
	for i, difference := range p.differences[:len(p.differences)-1] {
		n += difference
		counts = append(counts, n)
		sum += n
		if inMinute += n; i >= perMinute {
			inMinute -= counts[i-perMinute]
		}
		mostPerMinute = max(mostPerMinute, inMinute)
	}
	return sum, mostPerMinute
}
