package status

import (
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Level says how urgent a verdict is.
type Level string

// The levels.
const (
	OK        Level = "ok"
	Attention Level = "attention" // act within the day
	Critical  Level = "critical"  // act now
)

// A Status is how an installation stands. Times are RFC 3339, durations are in seconds.
type Status struct {
	AsOf      time.Time `json:"asOf"`
	Log       Log       `json:"log"`
	Verdicts  Verdicts  `json:"verdicts"`
	Events    Rates     `json:"events"`
	Resources Resources `json:"resources"`
	Unapplied Unapplied `json:"unapplied"`
	Gaps      []Gap     `json:"gaps"`     // open gaps of coverage, ordered by project and kind
	Projects  []Project `json:"projects"` // ordered by name
	Local     *Local    `json:"local,omitempty"`
}

// A Log identifies the event log.
type Log struct {
	Stream   string `json:"stream"`
	Identity string `json:"identity"` // a log that was created anew has another
	First    uint64 `json:"first"`    // sequence of the first event
	Last     uint64 `json:"last"`
	Missing  int    `json:"missing"` // events missing between the two
}

// Verdicts answer the three questions of an operator.
type Verdicts struct {
	Healthy  Verdict `json:"healthy"`  // does the installation work as configured?
	Complete Verdict `json:"complete"` // is it verified that the log has every change?
	Late     Verdict `json:"late"`     // is the log, or a resource, late?
}

// A Verdict is the worst of its problems.
type Verdict struct {
	Level    Level      `json:"level"`
	Reason   string     `json:"reason"` // of the worst problem; with OK, what is right
	Since    *time.Time `json:"since,omitempty"`
	Do       string     `json:"do,omitempty"` // what to do about it
	Problems []Problem  `json:"problems"`     // all, the worst first
}

// A Problem is a reason of a verdict.
type Problem struct {
	Level  Level      `json:"level"`
	Check  string     `json:"check"` // what was checked, as the doctor names it
	Reason string     `json:"reason"`
	Since  *time.Time `json:"since,omitempty"`
	Do     string     `json:"do,omitempty"`
}

// Rates count the events that the log stored in the last hour, by minute.
type Rates struct {
	Since       time.Time               `json:"since"` // the beginning of the first minute
	StepSeconds float64                 `json:"stepSeconds"`
	Total       map[lifecycle.Via]int   `json:"total"`
	ByVia       map[lifecycle.Via][]int `json:"byVia"`             // events of each step, the last of which is not over
	Partial     bool                    `json:"partial,omitempty"` // the bridge that responds has not read the whole hour yet
	Lateness    Lateness                `json:"lateness"`          // from MK.IO's time of a change until it was stored
}

// A Lateness is how long after MK.IO's time changes were stored.
type Lateness struct {
	Events       int     `json:"events"` // of the last hour for which MK.IO gave a time
	P50Seconds   float64 `json:"p50Seconds"`
	P95Seconds   float64 `json:"p95Seconds"`
	LimitSeconds float64 `json:"limitSeconds"` // a later event counts as late
	Late         int     `json:"late"`
}

// Resources count the resources that exist, those in motion and the stuck ones, with the usual durations of states.
type Resources struct {
	Known     map[lifecycle.Kind]int `json:"known"` // that are not deleted; kinds without any are absent
	InMotion  map[lifecycle.Kind]int `json:"inMotion"`
	Stuck     []Stuck                `json:"stuck"`
	Durations []Duration             `json:"durations"`
}

// A Stuck counts the resources of a kind that are stuck in a state.
type Stuck struct {
	Duration
	Resources int       `json:"resources"`
	Since     time.Time `json:"since"` // of the first of them
}

// A Duration is how long a state of a kind usually lasts.
type Duration struct {
	Kind         lifecycle.Kind `json:"kind"`
	State        string         `json:"state"`
	Samples      int            `json:"samples"`
	P50Seconds   float64        `json:"p50Seconds"`
	P95Seconds   float64        `json:"p95Seconds"`
	LimitSeconds float64        `json:"limitSeconds,omitempty"` // a resource that stays longer is stuck
	Learned      bool           `json:"learned"`                // the limit is from the samples; else it is the kind's fixed one
}

// An Unapplied counts the deliveries that became no event, by reason.
type Unapplied struct {
	Stored    map[lifecycle.Reason]int `json:"stored"`
	LastHour  map[lifecycle.Reason]int `json:"lastHour"`
	UsedRatio float64                  `json:"usedRatio"` // of the stream's size limit
}

// A Gap is a kind of a project of which it is not verified that the log has every change.
type Gap struct {
	Project string         `json:"project"`
	Kind    lifecycle.Kind `json:"kind"`
	Since   time.Time      `json:"since"`
	Reason  string         `json:"reason"`
}

// A Project is what the leader of a project publishes.
type Project struct {
	Project    string      `json:"project"`
	Leader     string      `json:"leader"` // name of the bridge that polls it; "" if none does, or if it is of an older version
	Polled     bool        `json:"polled"`
	Since      *time.Time  `json:"since,omitempty"` // when the leader got the lease
	AsOf       *time.Time  `json:"asOf,omitempty"`  // when the leader published this
	Budget     *Budget     `json:"budget,omitempty"`
	TokenEnds  *time.Time  `json:"tokenEnds,omitempty"`
	Rule       *Rule       `json:"rule,omitempty"`
	Deliveries *Deliveries `json:"deliveries,omitempty"`
	Paused     string      `json:"paused,omitempty"`   // why polling is paused
	Identity   string      `json:"identity,omitempty"` // why the project is not taken for the log's
}

// A Budget is the request budget of a project.
type Budget struct {
	PerMinute int `json:"perMinute"`
	Used      int `json:"used"` // in the last minute
}

// A Rule is how the webhook rule of a project stands.
type Rule struct {
	Name    string          `json:"name"`
	AsOf    time.Time       `json:"asOf"` // when it was read
	State   event.RuleState `json:"state"`
	Managed bool            `json:"managed"`           // bridges register it and keep it right
	Enabled *bool           `json:"enabled,omitempty"` // absent if it is not known
	URL     string          `json:"url,omitempty"`     // scheme and host alone if the rule delivers elsewhere
	Reason  string          `json:"reason,omitempty"`
}

// Deliveries are when the newest deliveries of the webhook rule were created, and how many there were in the last day.
type Deliveries struct {
	Rule   string     `json:"rule"`
	Sent   *time.Time `json:"sent,omitempty"`
	Unsent *time.Time `json:"unsent,omitempty"` // failed or retried
	Failed *time.Time `json:"failed,omitempty"`
	Day    *Day       `json:"day,omitempty"`
}

// A Day counts deliveries by their status in the delivery history.
type Day struct {
	Since    time.Time `json:"since"` // a day ago, or later if the leader has not read an earlier part of the history
	Sent     int       `json:"sent"`
	Failed   int       `json:"failed"`
	Retrying int       `json:"retrying"`
	Pending  int       `json:"pending"`
}

// A Local is about the bridge that responds.
type Local struct {
	Instance      string   `json:"instance"`
	Version       string   `json:"version"`
	NATSConnected bool     `json:"natsConnected"`
	Ready         bool     `json:"ready"`            // as /readyz has it
	Reason        string   `json:"reason,omitempty"` // why it is not
	Sequence      uint64   `json:"sequence"`         // of the last event that it has read
	Leads         []string `json:"leads"`            // projects that it polls
}
