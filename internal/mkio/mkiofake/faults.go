package mkiofake

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// Faults say how rude MK.IO is. Chances are of 1.
type Faults struct {
	// Of deliveries; times are on MK.IO's clock.
	Late     float64       // one comes late
	LateBy   time.Duration // at most
	Jitter   time.Duration // each comes up to so much later, so that near ones overtake each other
	Lag      time.Duration // the time that a delivery tells is up to so much after the record's own
	Repeat   float64       // one that succeeded is sent again
	RepeatBy time.Duration // at most so much later
	NewID    float64       // such a repeat has an id of its own
	Failed   float64       // MK.IO gives up though the receiver is well; the history tells
	Silent   float64       // one is never sent, and the history says it was

	// Of the API, for each request; times are ours but for StaleBy.
	TooMany  float64       // 429 before any limit is reached, half of them with Retry-After
	Broken   float64       // 500 or 503
	Gateway  float64       // a page of HTML instead
	Slow     float64       // the answer takes long
	SlowBy   time.Duration // at most
	Cut      float64       // the connection breaks in the middle of the body
	Stale    float64       // rows show what they were a moment ago, and lists what was there then
	StaleBy  time.Duration // at most
	Shift    float64       // a page other than the first begins a row too early or too late
	PageFail float64       // a page other than the first is answered 500
	Empty    float64       // a list is empty and looks well
	Bare     float64       // a list has no supplemental

	OtherOrigin float64 // a next link is absolute, with another scheme, host or port, or in capitals

	// Of a cache between, and of replicas behind: times are on MK.IO's clock.
	Cached      float64       // a list or a resource is a copy that a cache has, with the Date and the Age of that
	CachedBy    time.Duration // the oldest copy that it has
	Ageless     float64       // such a copy does not tell its Age; not where MK.IO's clock runs faster than ours, for then its Date tells nothing
	Dateless    float64       // one that tells its Age has lost its Date; with neither nothing would tell it from an answer of now
	CacheObeys  bool          // it lets requests pass that ask not to be answered from a cache
	ReplicaList float64       // a list comes from a replica that lags, with the Date of now
	ReplicaOne  float64       // so does a single resource
	ReplicaBy   time.Duration // at most

	NotModified float64 // a change of state leaves the time of modification as it was
}

// Rude is what MK.IO's documentation does not exclude.
var Rude = Faults{
	Late: 0.1, LateBy: 10 * time.Minute, Jitter: 2 * time.Second, Lag: 400 * time.Millisecond,
	Repeat: 0.2, RepeatBy: 10 * time.Minute, NewID: 0.3, Failed: 0.02, Silent: 0.02,
	TooMany: 0.01, Broken: 0.01, Gateway: 0.005, Slow: 0.02, SlowBy: 3 * time.Second, Cut: 0.005,
	Stale: 0.02, StaleBy: 5 * time.Second, Shift: 0.02, PageFail: 0.01, Empty: 0.002, Bare: 0.01,
	OtherOrigin: 0.1, Cached: 0.02, CachedBy: 5 * time.Minute, Ageless: 0.3, Dateless: 0.1,
	NotModified: 0.1,
}

// SetFaults changes the faults from now on.
func (m *MKIO) SetFaults(f Faults) { m.locked(func() { m.faults = f }) }

// SetToken changes the token that the API takes; "": any.
func (m *MKIO) SetToken(token string) { m.locked(func() { m.token = token }) }

// SetPageSize changes how many rows a page has at most.
func (m *MKIO) SetPageSize(rows int) { m.locked(func() { m.config.PageSize = rows }) }

// Revoke makes every token wrong, or as right as it was.
func (m *MKIO) Revoke(on bool) { m.locked(func() { m.revoked = on }) }

// Vanish makes a project one that the API does not know, or knows again. What is in it goes on.
func (m *MKIO) Vanish(project string, on bool) { m.locked(func() { m.projects[project].gone = on }) }

// Hollow makes all lists of a project empty, or full again.
func (m *MKIO) Hollow(project string, on bool) { m.locked(func() { m.projects[project].hollow = on }) }

// Outage has everything below a project answered 404, in the words for what does not exist, though the project
// itself answers; or ends that. Lists of a hollow project are empty all the same.
func (m *MKIO) Outage(project string, on bool) { m.locked(func() { m.projects[project].lost = on }) }

// Forbid takes from the token the right to see a kind, or gives it back.
func (m *MKIO) Forbid(project string, kind lifecycle.Kind, on bool) {
	m.locked(func() { m.projects[project].forbidden[kind] = on })
}

// ForbidRules takes from the token all rights over webhook rules, or gives them back.
func (m *MKIO) ForbidRules(project string, on bool) {
	m.locked(func() { m.projects[project].noRules = on })
}

// RefuseTypes says which event types the organisation does not have.
func (m *MKIO) RefuseTypes(types ...string) {
	m.locked(func() {
		clear(m.refused)
		for _, t := range types {
			m.refused[t] = true
		}
	})
}

func (m *MKIO) locked(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
}

// A fate is what the faults do to one request.
type fate struct {
	rng           *rand.Rand
	before, after time.Duration
	instead       *answer // an answer that has nothing to do with the request
	cut           bool
	list, single  lag // of when a list, and a single resource, is shown
	shift         int
	pageFail      bool
	empty, bare   bool
	origin        int // of next links, counted from 1; 0: none
	cached        bool
	ageless       bool
	dateless      bool
}

// fateOf draws what happens to the next request.
func (m *MKIO) fateOf() fate {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
	f := m.faults
	rng := rand.New(rand.NewPCG(m.config.Seed^0xa91, m.requests))
	drawn := func(chance float64) bool { return rng.Float64() < chance }
	out := fate{rng: rng}
	if drawn(f.Slow) {
		out.before, out.after = upTo(rng, f.SlowBy/2), upTo(rng, f.SlowBy/2)
	}
	out.instead = failure(rng, f)
	out.cut = drawn(f.Cut)
	if drawn(f.Stale) {
		out.list = lag{by: upTo(rng, f.StaleBy)}
		out.single = out.list
	}
	if drawn(f.Shift) {
		out.shift = 1 - 2*rng.IntN(2)
	}
	out.pageFail, out.empty, out.bare = drawn(f.PageFail), drawn(f.Empty), drawn(f.Bare)
	if drawn(f.OtherOrigin) {
		out.origin = 1 + rng.IntN(len(origins))
	}
	out.cached, out.dateless = drawn(f.Cached), drawn(f.Dateless)
	out.ageless = drawn(f.Ageless) && m.clock.speed <= 1
	if behind := (lag{upTo(rng, f.ReplicaBy), true}); behind.by > 0 {
		if drawn(f.ReplicaList) {
			out.list = behind
		}
		if drawn(f.ReplicaOne) {
			out.single = behind
		}
	}
	return out
}

// failure is an answer that has nothing to do with the request; nil for none.
func failure(rng *rand.Rand, f Faults) *answer {
	p := rng.Float64()
	var a answer
	switch {
	case p < f.TooMany:
		a = refuse(http.StatusTooManyRequests, "Read limit reached for this project.")
		if rng.IntN(2) == 0 {
			a.header.Set("Retry-After", "1")
		}
	case p < f.TooMany+f.Broken/2:
		a = refuse(http.StatusInternalServerError, "The request could not be completed.")
	case p < f.TooMany+f.Broken:
		a = refuse(http.StatusServiceUnavailable, "Try again later.")
	case p < f.TooMany+f.Broken+f.Gateway:
		a = gatewayPage()
	default:
		return nil
	}
	return &a
}

// upTo is a random while.
func upTo(rng *rand.Rand, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(rng.Int64N(int64(most)) + 1).Round(time.Microsecond)
}

// broken breaks an answer off somewhere in its body.
func (f fate) broken(a answer) answer {
	if f.cut && a.status/100 == 2 && len(a.body) > 1 && !strings.HasPrefix(a.header.Get("Content-Type"), "text/") {
		a.cut, a.shows = 1+f.rng.IntN(len(a.body)-1), nil
	}
	return a
}
