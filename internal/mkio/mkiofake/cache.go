package mkiofake

import (
	"net/http"
	"strconv"
	"time"
)

// A cache is a caching proxy between MK.IO and its clients. It stores responses and may serve them again.
type cache struct {
	responses map[string]cachedResponse
	order     []cachedResponse // oldest first
}

// A cachedResponse is a response in the cache.
type cachedResponse struct {
	response
	key      string
	storedAt time.Time // steady
	date     time.Time // wall
}

// viaCache serves a GET from the cache, or fetches and stores it.
func (m *MKIO) viaCache(c call, fetch func() response) response {
	if m.faults.Cached <= 0 || c.method != http.MethodGet {
		return fetch()
	}
	now, key := m.clock.steady(), c.token+" "+c.url.RequestURI()
	m.cache.evictBefore(now.Add(-m.faults.CachedBy))
	if c.faults.cached && (!c.noCache || !m.faults.CacheHonorsNoCache) {
		if cached, ok := m.cache.responses[key]; ok {
			return cached.serve(now, c.faults)
		}
	}
	a := fetch()
	if a.status == http.StatusOK || a.status == http.StatusNotFound {
		m.cache.store(cachedResponse{response{status: a.status, header: a.header.Clone(), body: a.body}, key, now, m.clock.now()})
	}
	return a
}

func (c *cache) store(a cachedResponse) {
	if c.responses == nil {
		c.responses = map[string]cachedResponse{}
	}
	c.responses[a.key] = a
	c.order = append(c.order, a)
}

func (c *cache) evictBefore(limit time.Time) {
	for len(c.order) > 0 && c.order[0].storedAt.Before(limit) {
		oldest := c.order[0]
		if c.responses[oldest.key].storedAt.Equal(oldest.storedAt) {
			delete(c.responses, oldest.key)
		}
		c.order = c.order[1:]
	}
}

// serve returns the response with its original Date and its Age, one of which a faulty cache omits.
func (c cachedResponse) serve(now time.Time, f requestFaults) response {
	a := c.response
	a.header = c.header.Clone()
	a.header.Set("Date", c.date.UTC().Format(http.TimeFormat))
	if f.omitAge {
		return a
	}
	a.header.Set("Age", strconv.Itoa(int(now.Sub(c.storedAt)/time.Second)))
	if f.omitDate {
		a.header["Date"] = nil
	}
	return a
}
