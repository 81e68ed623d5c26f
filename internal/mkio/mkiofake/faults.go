package mkiofake

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// Faults are the faults of a simulation. Probabilities are between 0 and 1; durations ending in By are maxima.
type Faults struct {
	// Deliveries; durations are on MK.IO's clock.
	Late     float64 // a delivery is late
	LateBy   time.Duration
	Jitter   time.Duration // maximal delay of every delivery, which reorders close ones
	Lag      time.Duration // maximum by which a delivery's time is after the record's
	Repeat   float64       // a successful delivery is sent again
	RepeatBy time.Duration
	NewID    float64 // such a duplicate has its own id
	Failed   float64 // MK.IO gives up although the receiver responds; the history has Failed
	Dropped  float64 // a delivery is never sent, but the history has Sent

	// API, per request; durations are real, except StaleBy.
	RateLimited    float64 // 429 below the limit, half of them with Retry-After
	ServerError    float64 // 500 or 503
	Gateway        float64 // 502 with an HTML page
	Slow           float64 // a slow response
	SlowBy         time.Duration
	Cut            float64 // the connection breaks in the middle of the body
	Stale          float64 // a response shows an old state
	StaleBy        time.Duration
	Shift          float64 // a page after the first begins one row too early or too late
	PageFail       float64 // a page after the first fails with 500
	EmptyList      float64 // a list is empty, with status 200
	NoSupplemental float64 // a list has no member supplemental

	OtherOrigin float64 // a next link is absolute, with another scheme, host or port, or in upper case

	// A cache in front of MK.IO and replicas behind it; durations are on MK.IO's clock.
	Cached             float64       // a list or a resource is served from a cache, with its Date and Age
	CachedBy           time.Duration // maximal age in the cache
	CacheOmitsAge      float64       // such a response lacks its Age; never if MK.IO's clock runs faster than real time, because its Date is no evidence then
	CacheOmitsDate     float64       // such a response with an Age lacks its Date; with neither it would look current
	CacheHonorsNoCache bool          // the cache honors Cache-Control: no-cache
	ReplicaList        float64       // a list is served by a lagging replica, with a current Date
	ReplicaSingle      float64       // a single resource is served by one
	ReplicaBy          time.Duration

	NotModified float64 // a change of state does not update the modification time
}

// Rude has the faults that MK.IO's documentation does not rule out.
var Rude = Faults{
	Late: 0.1, LateBy: 10 * time.Minute, Jitter: 2 * time.Second, Lag: 400 * time.Millisecond,
	Repeat: 0.2, RepeatBy: 10 * time.Minute, NewID: 0.3, Failed: 0.02, Dropped: 0.02,
	RateLimited: 0.01, ServerError: 0.01, Gateway: 0.005, Slow: 0.02, SlowBy: 3 * time.Second, Cut: 0.005,
	Stale: 0.02, StaleBy: 5 * time.Second, Shift: 0.02, PageFail: 0.01, EmptyList: 0.002, NoSupplemental: 0.01,
	OtherOrigin: 0.1, Cached: 0.02, CachedBy: 5 * time.Minute, CacheOmitsAge: 0.3, CacheOmitsDate: 0.1,
	NotModified: 0.1,
}

// SetFaults sets the faults from now on.
func (m *MKIO) SetFaults(f Faults) { m.locked(func() { m.faults = f }) }

// SetToken sets the token that the API accepts; "": any.
func (m *MKIO) SetToken(token string) { m.locked(func() { m.token = token }) }

// SetPageSize sets the maximum number of rows of a page.
func (m *MKIO) SetPageSize(rows int) { m.locked(func() { m.config.PageSize = rows }) }

// Revoke makes the API refuse every token, or ends that.
func (m *MKIO) Revoke(on bool) { m.locked(func() { m.revoked = on }) }

// SetHidden makes the API respond as if a project did not exist, or ends that. Its resources continue to change.
func (m *MKIO) SetHidden(project string, on bool) {
	m.locked(func() { m.projects[project].hidden = on })
}

// SetEmptyLists makes all lists of a project empty, or ends that.
func (m *MKIO) SetEmptyLists(project string, on bool) {
	m.locked(func() { m.projects[project].emptyLists = on })
}

// Outage makes everything below a project respond with MK.IO's own 404, although the project exists; or ends that. With
// SetEmptyLists, lists are empty instead.
func (m *MKIO) Outage(project string, on bool) { m.locked(func() { m.projects[project].outage = on }) }

// RefuseTypes sets the event types that are not available to the organisation.
func (m *MKIO) RefuseTypes(types ...string) {
	m.locked(func() {
		clear(m.refusedTypes)
		for _, t := range types {
			m.refusedTypes[t] = true
		}
	})
}

func (m *MKIO) locked(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
}

// requestFaults are the faults of one request.
type requestFaults struct {
	rng                       *rand.Rand
	delayBefore, delayAfter   time.Duration
	replacement               *response // sent instead of the response; nil: none
	cutBody                   bool
	list, single              staleness // of a list and of a single resource
	shift                     int
	pageFail                  bool
	emptyList, noSupplemental bool
	origin                    int // of next links: index of foreignOrigins plus 1; 0: none
	cached                    bool
	omitAge                   bool
	omitDate                  bool
}

// drawFaults draws the faults of the next request.
func (m *MKIO) drawFaults() requestFaults {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
	f := m.faults
	rng := rand.New(rand.NewPCG(m.config.Seed^0xa91, m.requests))
	drawn := func(chance float64) bool { return rng.Float64() < chance }
	out := requestFaults{rng: rng}
	if drawn(f.Slow) {
		out.delayBefore, out.delayAfter = upTo(rng, f.SlowBy/2), upTo(rng, f.SlowBy/2)
	}
	out.replacement = replacementOf(rng, f)
	out.cutBody = drawn(f.Cut)
	if drawn(f.Stale) {
		out.list = staleness{by: upTo(rng, f.StaleBy)}
		out.single = out.list
	}
	if drawn(f.Shift) {
		out.shift = 1 - 2*rng.IntN(2)
	}
	out.pageFail, out.emptyList, out.noSupplemental = drawn(f.PageFail), drawn(f.EmptyList), drawn(f.NoSupplemental)
	if drawn(f.OtherOrigin) {
		out.origin = 1 + rng.IntN(len(foreignOrigins))
	}
	out.cached, out.omitDate = drawn(f.Cached), drawn(f.CacheOmitsDate)
	out.omitAge = drawn(f.CacheOmitsAge) && m.clock.speed <= 1
	if behind := (staleness{upTo(rng, f.ReplicaBy), true}); behind.by > 0 {
		if drawn(f.ReplicaList) {
			out.list = behind
		}
		if drawn(f.ReplicaSingle) {
			out.single = behind
		}
	}
	return out
}

// replacementOf draws an error response that replaces the real one; nil: none.
func replacementOf(rng *rand.Rand, f Faults) *response {
	p := rng.Float64()
	var a response
	switch {
	case p < f.RateLimited:
		a = errorResponse(http.StatusTooManyRequests, "Read limit reached for this project.")
		if rng.IntN(2) == 0 {
			a.header.Set("Retry-After", "1")
		}
	case p < f.RateLimited+f.ServerError/2:
		a = errorResponse(http.StatusInternalServerError, "The request could not be completed.")
	case p < f.RateLimited+f.ServerError:
		a = errorResponse(http.StatusServiceUnavailable, "Try again later.")
	case p < f.RateLimited+f.ServerError+f.Gateway:
		a = gatewayError()
	default:
		return nil
	}
	return &a
}

// upTo returns a random duration of at most limit.
func upTo(rng *rand.Rand, limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return time.Duration(rng.Int64N(int64(limit)) + 1).Round(time.Microsecond)
}

// cut cuts a response within its body, if the fault was drawn.
func (f requestFaults) cut(a response) response {
	if f.cutBody && a.status/100 == 2 && len(a.body) > 1 && !strings.HasPrefix(a.header.Get("Content-Type"), "text/") {
		a.cutAt, a.current = 1+f.rng.IntN(len(a.body)-1), nil
	}
	return a
}
