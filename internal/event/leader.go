package event

import (
	"encoding/json"
	"time"
)

// A Leader is what the bridge that polls a project publishes with its lease: what it alone knows, so that every bridge can
// show it. It is stored as JSON in the lease bucket and written with each renewal. Versions before it stored nothing there,
// and none reads the value to get or keep a lease.
type Leader struct {
	Project      string            `json:"project"`
	Instance     string            `json:"instance,omitempty"` // name of the bridge
	Since        time.Time         `json:"since"`              // when it got the lease
	At           time.Time         `json:"at"`                 // when this was written
	SweepSeconds float64           `json:"sweepSeconds"`       // configured time between two delta sweeps
	FullSeconds  float64           `json:"fullSeconds"`        // configured time between two full sweeps
	Budget       LeaderBudget      `json:"budget"`
	Token        LeaderToken       `json:"token"`
	Deliveries   *LeaderDeliveries `json:"deliveries,omitempty"` // absent until the delivery history was read
	Rule         *LeaderRule       `json:"rule,omitempty"`       // absent until it was read
	Paused       *LeaderTrouble    `json:"paused,omitempty"`     // polling is paused: the token is refused, or the log cannot be written
	Identity     *LeaderTrouble    `json:"identity,omitempty"`   // the project is not polled, or its deletions wait, because of its identity
}

// A LeaderBudget is the request budget of a project.
type LeaderBudget struct {
	PerMinute int `json:"perMinute"` // most requests
	Used      int `json:"used"`      // in the last minute
}

// A LeaderToken describes the API token without revealing it.
type LeaderToken struct {
	Ends *time.Time `json:"ends,omitempty"` // absent if the token does not say
	Kind string     `json:"kind,omitempty"` // as the token names it
}

// LeaderDeliveries are when the newest deliveries of a webhook rule were created, and how many there were in the last day.
type LeaderDeliveries struct {
	Rule   string     `json:"rule"`
	Sent   *time.Time `json:"sent,omitempty"`   // that arrived
	Unsent *time.Time `json:"unsent,omitempty"` // that failed or is retried
	Failed *time.Time `json:"failed,omitempty"` // that failed
	Day    *LeaderDay `json:"day,omitempty"`    // absent until the history was read completely
}

// A LeaderDay counts the deliveries that were created since a time, which is a day ago or later.
type LeaderDay struct {
	Since time.Time `json:"since"`
	LeaderCount
}

// A LeaderCount counts deliveries by their status in the delivery history.
type LeaderCount struct {
	Sent     int `json:"sent"`
	Failed   int `json:"failed"`
	Retrying int `json:"retrying"`
	Pending  int `json:"pending"`
}

// A RuleState says how a webhook rule is.
type RuleState string

// The states of a webhook rule.
const (
	RuleRight   RuleState = "right"   // as the bridge registers it
	RuleWrong   RuleState = "wrong"   // it differs, or is disabled
	RuleMissing RuleState = "missing" // there is none
	RuleExists  RuleState = "exists"  // there is one; the bridge does not register it, and so does not compare it
	RuleUnknown RuleState = "unknown" // it cannot be read
)

// A LeaderRule is how the webhook rule of a project stands. It has no secret.
type LeaderRule struct {
	Rule    string    `json:"rule"`
	At      time.Time `json:"at"` // when it was read
	State   RuleState `json:"state"`
	Managed bool      `json:"managed"`           // the bridge registers it and keeps it right
	Enabled *bool     `json:"enabled,omitempty"` // absent if it is not known
	URL     string    `json:"url,omitempty"`     // scheme and host alone if the rule delivers elsewhere
	Reason  string    `json:"reason,omitempty"`
}

// A LeaderTrouble is why a project is not polled as it should be, and since when.
type LeaderTrouble struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Stops  bool      `json:"stops"` // nothing of the project is polled meanwhile
	Do     string    `json:"do,omitempty"`
}

// Encode encodes what a leader publishes.
func (l Leader) Encode() ([]byte, error) { return json.Marshal(l) }

// DecodeLeader decodes the value of a lease; ok is false for that of an older version, which has none.
func DecodeLeader(value []byte) (l Leader, ok bool) {
	err := json.Unmarshal(value, &l)
	return l, err == nil && l.Project != ""
}
