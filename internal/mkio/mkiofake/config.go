package mkiofake

import (
	"net/http"
	"time"
)

// Config configures a simulation. The zero value is a polite MK.IO with two empty projects.
type Config struct {
	Seed     uint64
	Projects []string // default: aurora-vod, harbor-live
	Token    string   // the accepted bearer token; "": any
	// Organization owns the projects; "" is an organisation too. Ids of two organisations never collide.
	Organization string
	Faults       Faults    // zero: no faults
	Start        time.Time // MK.IO's clock at first; zero: now
	Speed        float64   // seconds of MK.IO's clock per real second; 0: 1
	ReadLimit    int       // GETs per real minute and project; 0: 2000, negative: no limit
	// WriteLimit is the limit of all other methods; 0: 1000.
	WriteLimit  int
	MaxInFlight int // deliveries in flight at most; 0: 64
	// RefuseShowHidden refuses the parameter show_hidden, whose values MK.IO does not document.
	RefuseShowHidden bool
	// MaxTop refuses a larger $top with 400; 0: none. MK.IO documents no bound.
	MaxTop int
	// HistoryIgnoresOffset lets a delivery history ignore $skiptoken, which MK.IO does not document for it; its links count on.
	HistoryIgnoresOffset bool
	PageSize             int               // default and maximum of $top; 0: 1000
	Transport            http.RoundTripper // delivers webhooks; nil: http.DefaultTransport
	// Settle is how long MK.IO takes, on its clock, until what was created, started or stopped by a request is in the state that
	// was asked for; 0: 2 s; negative: until a test moves it.
	Settle time.Duration
	// LiveEventWebhooks sends the deliveries of channel instances for live events of the Media API too. MK.IO's documentation
	// suggests it in one place.
	LiveEventWebhooks bool
}

// withDefaults returns c with the defaults set.
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
	if c.Settle == 0 {
		c.Settle = 2 * time.Second
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 64
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
