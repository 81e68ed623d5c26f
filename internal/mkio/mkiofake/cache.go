package mkiofake

import (
	"net/http"
	"strconv"
	"time"
)

// A cache stands between MK.IO and who asks, as a proxy of a company does. It keeps what passes and may answer with it.
type cache struct {
	copies map[string]copied
	order  []copied // the oldest first
}

// A copied answer is one that the cache has.
type copied struct {
	answer
	of    string
	at    time.Time // steady
	shown time.Time // what MK.IO's clock showed
}

// through is the way of a request for lists and resources through the cache.
func (m *MKIO) through(c call, ask func() answer) answer {
	if m.faults.Cached <= 0 || c.method != http.MethodGet {
		return ask()
	}
	now, of := m.clock.steady(), c.token+" "+c.url.RequestURI()
	m.cache.forgetBefore(now.Add(-m.faults.CachedBy))
	if c.fate.cached && (!c.noCache || !m.faults.CacheObeys) {
		if old, ok := m.cache.copies[of]; ok {
			return old.again(now, c.fate)
		}
	}
	a := ask()
	if a.status == http.StatusOK || a.status == http.StatusNotFound {
		m.cache.keep(copied{answer{status: a.status, header: a.header.Clone(), body: a.body}, of, now, m.clock.now()})
	}
	return a
}

func (c *cache) keep(a copied) {
	if c.copies == nil {
		c.copies = map[string]copied{}
	}
	c.copies[a.of] = a
	c.order = append(c.order, a)
}

func (c *cache) forgetBefore(moment time.Time) {
	for len(c.order) > 0 && c.order[0].at.Before(moment) {
		old := c.order[0]
		if c.copies[old.of].at.Equal(old.at) {
			delete(c.copies, old.of)
		}
		c.order = c.order[1:]
	}
}

// again is a copy as an answer: MK.IO's Date is kept and Age tells how old it is, but for caches that do otherwise.
func (old copied) again(now time.Time, f fate) answer {
	a := old.answer
	a.header = old.header.Clone()
	a.header.Set("Date", old.shown.UTC().Format(http.TimeFormat))
	if f.ageless {
		return a
	}
	a.header.Set("Age", strconv.Itoa(int(now.Sub(old.at)/time.Second)))
	if f.dateless {
		a.header["Date"] = nil
	}
	return a
}
