package mkiofake

import (
	"net/http"
	"time"
)

// Config says what to simulate. The zero value is a polite MK.IO with two empty projects.
type Config struct {
	Seed     uint64
	Projects []string // default: aurora-vod, harbor-live
	Token    string   // the bearer token that the API takes; "": any
	// Organization is whose the projects are; "" is one too. No two have an id in common.
	Organization string
	Faults       Faults    // zero: none
	Start        time.Time // MK.IO's clock when made; zero: now
	Speed        float64   // seconds of MK.IO's clock in one of ours; 0: 1
	ReadLimit    int       // GETs a minute of ours and project; 0: 2000, negative: no limit
	// WriteLimit is the same of all other methods; 0: 1000.
	WriteLimit int
	AtOnce     int               // deliveries under way at the same time; 0: 64
	PageSize   int               // rows of a page without $top, and the most of any; 0: 1000
	Transport  http.RoundTripper // delivers webhooks; nil: http.DefaultTransport
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Projects == nil {
		c.Projects = []string{VOD, Live}
	}
	if c.ReadLimit == 0 {
		c.ReadLimit = 2000
	}
	if c.WriteLimit == 0 {
		c.WriteLimit = 1000
	}
	if c.AtOnce == 0 {
		c.AtOnce = 64
	}
	if c.PageSize == 0 {
		c.PageSize = 1000
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	return c
}

// The projects of a [Day].
const (
	VOD  = "aurora-vod"
	Live = "harbor-live"
)
