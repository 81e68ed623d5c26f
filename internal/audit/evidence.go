package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// EvidenceSchema identifies the JSON Schema of [Evidence]; the schemas package holds it.
const EvidenceSchema = "urn:mkio-bridge:schema:evidence:1"

// Evidence is what an auditor gets: what is proven about a period, what is not, and how to check both again. It is stored as a
// file ([Evidence.Encode]).
type Evidence struct {
	Schema       string        `json:"schema"`
	Made         Made          `json:"made"`
	Log          LogExtent     `json:"log"`
	Period       Period        `json:"period"`
	Filters      Filters       `json:"filters"`
	Complete     bool          `json:"complete"`         // see [Complete]
	Reason       string        `json:"reason,omitempty"` // why nothing is proven, if no coverage is Polled
	Coverage     []Coverage    `json:"coverage"`
	NotProvable  []NotProvable `json:"notProvable"`
	NotPolled    []string      `json:"notPolled"`
	Verification *Verification `json:"verification,omitempty"`
	Unverified   string        `json:"unverified,omitempty"` // why there is no verification
	Guarantees   []string      `json:"guarantees"`
	Check        []string      `json:"check"`
	Digest       string        `json:"digest,omitempty"` // of the rest, see [digestOf]

	none error // whose text is Reason; nil in evidence that was parsed
}

// Made says when evidence was made, and by which program.
type Made struct {
	At       time.Time `json:"at"`
	Instance string    `json:"instance"` // host
	Version  string    `json:"version"`
}

// A LogExtent says which log evidence is about, and how far it reached when the evidence was made.
type LogExtent struct {
	Stream   string `json:"stream"`
	Identity string `json:"identity"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Missing  int    `json:"missing"` // events between the two that the log lacks
}

// A Period is the period that evidence is about.
type Period struct {
	Since *time.Time `json:"since,omitempty"` // nil: each coverage begins with its first record
	Until time.Time  `json:"until"`
}

// Filters select what evidence is about; an empty one matches all.
type Filters struct {
	Project string         `json:"project,omitempty"`
	Kind    lifecycle.Kind `json:"kind,omitempty"`
}

// NotProvable is a kind about which nothing can ever be proven.
type NotProvable struct {
	Kind   lifecycle.Kind `json:"kind"`
	Reason string         `json:"reason"`
}

// A Verification is the result of a verification of the log, with who made it.
type Verification struct {
	Log       string   `json:"log"` // its identity
	Root      string   `json:"root"`
	First     uint64   `json:"first"`
	Last      uint64   `json:"last"`
	Events    int      `json:"events"`
	Resources int      `json:"resources"`
	Wrong     int      `json:"wrong"`
	Errors    []string `json:"errors"`
	// StoredRoot is the root with which the verification compared the log; "": none. Erased are the sequences that it took for
	// erased on purpose.
	StoredRoot string    `json:"storedRoot,omitempty"`
	Erased     string    `json:"erased,omitempty"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	Instance   string    `json:"instance"`
	Job        string    `json:"job,omitempty"` // its id; "" if a command verified
	// CoversPeriod is false if the log has events of the period that were stored after the verification.
	CoversPeriod bool `json:"coversPeriod"`
}

// NewVerification returns the result of a verification, without who made it.
func NewVerification(r *Report) *Verification {
	v := &Verification{
		Log: r.Log, Root: r.Root.String(), First: r.First, Last: r.Last, Events: r.Events, Resources: r.Resources, Wrong: r.Wrong, Errors: []string{},
	}
	for _, err := range r.Errors {
		v.Errors = append(v.Errors, err.Error())
	}
	return v
}

// A Request says what evidence is to be made of.
type Request struct {
	Query
	Made         Made
	Verification *Verification // nil: there is none
	Unverified   string        // why there is none
}

// What the two parts of evidence mean.
var guarantees = []string{
	"Proven: sweeps that were complete and on time compared every resource of the kind with MK.IO, so the log has every state that a resource " +
		"had at a sweep; a state that came and went between two sweeps is in the log if its webhook was delivered.",
	"Whole: each event has the hash of the previous event of its resource, and the root is a hash over the last event of every resource, so " +
		"no event up to the root's sequence can be altered, removed, moved or added without another root.",
}

// Collect makes evidence from a log.
func Collect(ctx context.Context, log *eventlog.Log, r Request) (*Evidence, error) {
	info, err := log.Stream(ctx)
	if err != nil {
		return nil, err
	}
	bounds := eventlog.BoundsOf(info)
	e := &Evidence{
		Schema: EvidenceSchema, Made: r.Made, Log: LogExtent{bounds.Stream, bounds.Identity, bounds.First, bounds.Last, info.State.NumDeleted},
		Period: Period{Until: r.Until.UTC()}, Filters: Filters{r.Project, r.Kind}, NotProvable: []NotProvable{}, Guarantees: guarantees,
	}
	if !r.Since.IsZero() {
		since := r.Since.UTC()
		e.Period.Since = &since
	}
	covers, err := Coverages(ctx, log, r.Query)
	if errors.Is(err, ErrNoSweep) || errors.Is(err, ErrBeforeFirstSweep) {
		e.none, e.Reason, err = err, err.Error(), nil
	}
	if err != nil {
		return nil, err
	}
	e.Coverage, e.Complete = append([]Coverage{}, covers...), Complete(covers)
	e.addKinds()
	if e.Unverified = r.Unverified; r.Verification != nil {
		v := *r.Verification
		if v.CoversPeriod, err = coversUntil(ctx, log, v.Last, r.Until); err != nil {
			return nil, err
		}
		e.Verification, e.Unverified = &v, ""
	}
	e.Check = e.commands()
	return e, nil
}

// Err returns [ErrNoSweep] or [ErrBeforeFirstSweep] if nothing is proven because of it.
func (e *Evidence) Err() error { return e.none }

// addKinds names the selected kinds about which nothing can be proven, and those without any sweep in the period.
func (e *Evidence) addKinds() {
	e.NotPolled = []string{}
	for _, kind := range lifecycle.Kinds() {
		switch {
		case e.Filters.Kind != "" && e.Filters.Kind != kind:
		case !Provable(kind):
			e.NotProvable = append(e.NotProvable, NotProvable{kind, reasonUnprovable})
		case !slices.ContainsFunc(e.Coverage, func(c Coverage) bool { return c.Kind == kind && c.Polled }):
			e.NotPolled = append(e.NotPolled, string(kind))
		}
	}
}

// coversUntil reports whether the log has no event after a sequence that was stored before a time.
func coversUntil(ctx context.Context, log *eventlog.Log, last uint64, until time.Time) (bool, error) {
	for next, err := range log.WithSmallPrefetch().Headers(ctx, eventlog.Query{From: last + 1}) {
		if err != nil {
			return false, err
		}
		return !next.Stored.Before(until), nil
	}
	return true, nil
}

// commands returns the commands that check the evidence again, for a POSIX shell.
func (e *Evidence) commands() []string {
	var commands []string
	if v := e.Verification; v != nil {
		command := "mkio-bridge verify --root " + shellWord(v.Root)
		if v.Erased != "" {
			command += " --erased " + shellWord(v.Erased)
		}
		commands = append(commands, command)
	}
	command := "mkio-bridge audit"
	if e.Period.Since != nil {
		command += " --since " + e.Period.Since.Format(time.RFC3339Nano)
	}
	command += " --until " + e.Period.Until.Format(time.RFC3339Nano)
	if e.Filters.Project != "" {
		command += " --project " + shellWord(e.Filters.Project)
	}
	if e.Filters.Kind != "" {
		command += " --kind " + shellWord(string(e.Filters.Kind))
	}
	return append(commands, command, "mkio-bridge verify --evidence "+e.FileName())
}

var safeWord = regexp.MustCompile(`^[A-Za-z0-9_.,:+-]+$`)

// shellWord quotes a text, so that a shell takes it as one word.
func shellWord(text string) string {
	if safeWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

var unsafeInFileName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// maxFileNamePart limits a project's name in a file name, which most systems limit to 255 bytes.
const maxFileNamePart = 80

// FileName returns a name for the file, of letters, digits, dots, underscores and dashes.
func (e *Evidence) FileName() string {
	parts := []string{"mkio-bridge-evidence"}
	if project := strings.Trim(unsafeInFileName.ReplaceAllString(e.Filters.Project, "_"), "."); project != "" {
		parts = append(parts, project[:min(len(project), maxFileNamePart)])
	}
	if e.Filters.Kind != "" {
		parts = append(parts, string(e.Filters.Kind))
	}
	since := "beginning"
	if e.Period.Since != nil {
		since = fileTime(*e.Period.Since)
	}
	return strings.Join(append(parts, since, fileTime(e.Period.Until)), "_") + ".json"
}

// fileTime returns a time for a file name: the date, with the time of day if that is not midnight.
func fileTime(t time.Time) string {
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02T150405Z")
}

// Encode returns the file: JSON with a line for each member, and with its digest.
func (e *Evidence) Encode() ([]byte, error) {
	e.Digest = ""
	rest, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if e.Digest, err = digestOf(rest); err != nil {
		return nil, err
	}
	var file bytes.Buffer
	encoder := json.NewEncoder(&file)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(e)
	return file.Bytes(), err
}

// validate returns an error for evidence that Recheck cannot compare with a log.
func (e *Evidence) validate() error {
	switch {
	case e.Schema != EvidenceSchema:
		return fmt.Errorf("its schema is %.80q, not %s: it is no evidence file, or of another version of mkio-bridge", e.Schema, EvidenceSchema)
	case e.Log.Identity == "" || e.Period.Until.IsZero():
		return errors.New("it does not name a log and a period")
	}
	if e.Verification == nil {
		return nil
	}
	_, err := ParseRoot(cmp.Or(e.Verification.Root, "none"))
	return err
}
