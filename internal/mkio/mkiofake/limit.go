package mkiofake

import (
	"maps"
	"net/http"
	"time"
)

// Requests counts the requests for one project.
type Requests struct {
	Gets, Writes      int
	Limited           int // of both, refused with 429
	MostGetsPerMinute int // in any real minute
	ByRoute           map[string]int
}

// Requests returns the counts of a project; "": of requests without a project.
func (m *MKIO) Requests(project string) Requests {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := m.requestLogOf(project).Requests
	counts.ByRoute = maps.Clone(counts.ByRoute)
	return counts
}

// A requestLog has the requests for one project.
type requestLog struct {
	Requests
	allGets                     slidingMinute
	allowedReads, allowedWrites slidingMinute // within the limits
}

func (m *MKIO) requestLogOf(project string) *requestLog {
	log, ok := m.requestLogs[project]
	if !ok {
		log = &requestLog{Requests: Requests{ByRoute: map[string]int{}}}
		m.requestLogs[project] = log
	}
	return log
}

// allow counts a request; false if it exceeds the limit.
func (m *MKIO) allow(project, method, route string) bool {
	log, now := m.requestLogOf(project), time.Now()
	log.ByRoute[method+" "+route]++
	allowed, limit := &log.allowedWrites, m.config.WriteLimit
	if method == http.MethodGet {
		log.Gets++
		log.allGets.add(now)
		log.MostGetsPerMinute = max(log.MostGetsPerMinute, log.allGets.count(now))
		allowed, limit = &log.allowedReads, m.config.ReadLimit
	} else {
		log.Writes++
	}
	if limit >= 0 && allowed.count(now) >= limit {
		log.Limited++
		return false
	}
	allowed.add(now)
	return true
}

// A slidingMinute has the real times within the last minute.
type slidingMinute []time.Time

func (m *slidingMinute) add(now time.Time) { *m = append(*m, now) }

func (m *slidingMinute) count(now time.Time) int {
	old := 0
	for old < len(*m) && now.Sub((*m)[old]) >= time.Minute {
		old++
	}
	*m = (*m)[old:]
	return len(*m)
}
