package mkiofake

import (
	"maps"
	"net/http"
	"time"
)

// Requests counts what was asked of one project.
type Requests struct {
	Gets, Writes      int
	Limited           int // of both, how many were answered 429 for their number
	MostGetsPerMinute int // in any sliding minute of ours
	ByRoute           map[string]int
}

// Requests returns the counts of a project; "" is for requests of none.
func (m *MKIO) Requests(project string) Requests {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := m.askedOf(project).Requests
	counts.ByRoute = maps.Clone(counts.ByRoute)
	return counts
}

// An askedLog is what was asked of one project.
type askedLog struct {
	Requests
	gets          minute // all
	reads, writes minute // those let through
}

func (m *MKIO) askedOf(project string) *askedLog {
	log, ok := m.asked[project]
	if !ok {
		log = &askedLog{Requests: Requests{ByRoute: map[string]int{}}}
		m.asked[project] = log
	}
	return log
}

// count notes a request; false when it is one too many.
func (m *MKIO) count(project, method, route string) bool {
	log, now := m.askedOf(project), time.Now()
	log.ByRoute[method+" "+route]++
	passed, limit := &log.writes, m.config.WriteLimit
	if method == http.MethodGet {
		log.Gets++
		log.gets.add(now)
		log.MostGetsPerMinute = max(log.MostGetsPerMinute, log.gets.count(now))
		passed, limit = &log.reads, m.config.ReadLimit
	} else {
		log.Writes++
	}
	if limit >= 0 && passed.count(now) >= limit {
		log.Limited++
		return false
	}
	passed.add(now)
	return true
}

// A minute is the moments of the last one.
type minute []time.Time

func (m *minute) add(now time.Time) { *m = append(*m, now) }

func (m *minute) count(now time.Time) int {
	old := 0
	for old < len(*m) && now.Sub((*m)[old]) >= time.Minute {
		old++
	}
	*m = (*m)[old:]
	return len(*m)
}
