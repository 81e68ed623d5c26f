package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"
)

// A File is a rules file that was read and found valid.
type File struct {
	Targets map[string]TargetConfig `json:"targets"`
	Rules   []*Rule                 `json:"rules"`
}

// A Rule says which events are sent, as what, and to which target.
type Rule struct {
	RuleConfig
	to          TargetConfig // what the member target names
	title, text *template.Template
	mutes       []window
}

// A RuleConfig is a rule as the file has it. schemas/notify-rules.schema.json describes each member.
type RuleConfig struct {
	Name     string `json:"name"`
	Filter   Filter `json:"filter"`
	Target   string `json:"target"`
	Title    string `json:"title"`
	Text     string `json:"text"`
	From     string `json:"from"`
	Retry    Retry  `json:"retry"`
	Group    *Group `json:"group"`
	Mute     []Mute `json:"mute"`
	Parallel int    `json:"parallel"`
}

// The values of a rule's member from: where a new rule begins.
const (
	FromNew = "new" // with the first event after the rule was first run
	FromAll = "all" // with the oldest event of the log
)

// A Retry says how often a message is tried, and with which pauses.
type Retry struct {
	Tries   int      `json:"tries"`
	First   Duration `json:"first"`   // pause after the first failed try; each further pause doubles it
	Max     Duration `json:"max"`     // longest pause
	Timeout Duration `json:"timeout"` // of one try
}

// A Group collects events: at most one message in a time.
type Group struct {
	Every Duration `json:"every"`
	By    string   `json:"by"`
}

// The values of a group's member by: the events that become one message.
const (
	ByRule     = "rule"
	ByProject  = "project"
	ByKind     = "kind"
	ByResource = "resource"
)

// Defaults of a rule.
const (
	defaultTries    = 30 // with the pauses below: about ten hours
	defaultFirst    = time.Second
	defaultMax      = 30 * time.Minute
	defaultTimeout  = 10 * time.Second
	defaultParallel = 8
)

// setDefaults fills the members that the file leaves out.
func (r *RuleConfig) setDefaults() {
	setDefault(&r.Title, defaultTitle)
	setDefault(&r.Text, defaultText)
	setDefault(&r.From, FromNew)
	setDefault(&r.Retry.Tries, defaultTries)
	setDefault(&r.Retry.First, Duration(defaultFirst))
	setDefault(&r.Retry.Max, Duration(defaultMax))
	setDefault(&r.Retry.Timeout, Duration(defaultTimeout))
	setDefault(&r.Parallel, defaultParallel)
	if r.Group != nil {
		setDefault(&r.Group.By, ByRule)
	}
}

func setDefault[T comparable](v *T, value T) {
	if *v == *new(T) {
		*v = value
	}
}

// A Duration is written like 90s or 1h30m.
type Duration time.Duration

// UnmarshalText parses a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 90s or 1h30m", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Words is a list of words, or one word without a list around it.
type Words []string

// UnmarshalJSON decodes a string or an array of strings.
func (w *Words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = Words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// has reports whether a value is among the words, or the words are empty, which match everything.
func (w Words) has(value string) bool { return len(w) == 0 || slices.Contains(w, value) }

// hasFold is has without regard to case.
func (w Words) hasFold(value string) bool {
	return len(w) == 0 || slices.ContainsFunc(w, func(s string) bool { return strings.EqualFold(s, value) })
}

func (w Words) String() string { return strings.Join(w, " or ") }

// Find returns a rule by its name; nil if there is none.
func (f *File) Find(name string) *Rule {
	i := slices.IndexFunc(f.Rules, func(r *Rule) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return f.Rules[i]
}

// Names returns the names of the rules.
func (f *File) Names() []string {
	names := make([]string, len(f.Rules))
	for i, r := range f.Rules {
		names[i] = r.Name
	}
	return names
}

// OpenTarget opens the rule's target.
func (r *Rule) OpenTarget() (Target, error) {
	t, err := r.to.Open()
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", r.Target, err)
	}
	return t, nil
}

// Limits of the timeout of a try. The longest is far below the time after which the server takes an event for lost.
const (
	minTimeout = Duration(100 * time.Millisecond)
	maxTimeout = Duration(2 * time.Minute)
)

func (d Duration) String() string { return time.Duration(d).String() }
