package torture

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Report is the result of a run.
type Report struct {
	Config     Config
	Start      time.Time
	Responses  map[int]int // deliveries by status; 0: no response
	Changes    int         // changes of state in MK.IO
	Events     int         // events in the log
	Via        map[lifecycle.Via]int
	Unapplied  int
	LostBytes  int64         // of discarded NATS responses
	Converged  time.Duration // time from the last fault until the log equalled MK.IO's state
	Bridges    []bridgeReport
	Impossible []string // faults that are not possible in this setup

	mu         sync.Mutex
	faults     map[string]*faultReport
	Violations []string
}

type bridgeReport struct {
	name       string
	exits      map[string]int
	peakMemory int64 // bytes
	goroutines float64
}

type faultReport struct {
	times, failed int
	worst         time.Duration
}

func newReport(c Config) *Report {
	return &Report{Config: c, Start: time.Now(), Via: map[lifecycle.Via]int{}, faults: map[string]*faultReport{}}
}

func (r *Report) violation(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

func (r *Report) fault(name string) *faultReport {
	if r.faults[name] == nil {
		r.faults[name] = &faultReport{}
	}
	return r.faults[name]
}

// record records a fault, whether it could be injected, and how long the bridges took to recover from it.
func (r *Report) record(name string, ok bool, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.fault(name)
	f.worst = max(f.worst, took)
	if ok {
		f.times++
	} else {
		f.failed++
	}
}

// Deliveries returns how many deliveries were sent.
func (r *Report) Deliveries() int {
	all := 0
	for _, n := range r.Responses {
		all += n
	}
	return all
}

// FaultCount returns how many faults were injected successfully.
func (r *Report) FaultCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := 0
	for _, f := range r.faults {
		all += f.times
	}
	return all
}

// String returns the report as Markdown.
func (r *Report) String() string {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	setup := fmt.Sprintf("%d bridges on 3 NATS servers", r.Config.Bridges)
	if r.Config.Embedded {
		setup = "one bridge with an embedded server"
	}
	end := fmt.Sprintf("%s of faults", r.Config.For)
	if r.Config.MaxFaults > 0 {
		end = fmt.Sprintf("%d faults or %s", r.Config.MaxFaults, end)
	}
	line("%s, seed %d, %s\n", setup, r.Config.Seed, end)
	line("| | |\n|---|---|")
	line("| deliveries | %d: %s |", r.Deliveries(), formatCounts(r.Responses, func(status int) string {
		if status == 0 {
			return "without a response"
		}
		return strconv.Itoa(status)
	}))
	line("| changes of state in MK.IO | %d |", r.Changes)
	line("| events in the log | %d: %s |", r.Events, formatCounts(r.Via, func(v lifecycle.Via) string { return string(v) }))
	line("| stored in `MKIO_UNAPPLIED` | %d |", r.Unapplied)
	line("| faults | %d |", r.FaultCount())
	line("| discarded responses of NATS | %d bytes |", r.LostBytes)
	line("| converged after the last fault | %s |", r.Converged)
	for _, b := range r.Bridges {
		line("| %s | ended: %s; at most %d MiB; %.0f goroutines at the end |", b.name, formatCounts(b.exits, func(how string) string { return how }), b.peakMemory>>20, b.goroutines)
	}
	line("\n| fault | times | not injected | longest recovery |\n|---|---:|---:|---:|")
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		f := r.faults[name]
		line("| %s | %d | %d | %s |", name, f.times, f.failed, f.worst.Round(10*time.Millisecond))
	}
	for _, name := range r.Impossible {
		line("| %s | not possible here | | |", name)
	}
	line("")
	if len(r.Violations) == 0 {
		line("No violation: nothing acknowledged is lost, no event is duplicated, out of order or invented, and the log equals MK.IO's state.")
	}
	lines := 0
	for _, v := range r.Violations {
		for l := range strings.Lines(v) { // the oracle joins its errors
			prefix := "VIOLATION: "
			if strings.HasPrefix(l, " ") || strings.HasPrefix(l, "history") { // details of the line before
				prefix = ""
			}
			if lines++; lines <= maxViolationLines {
				line("%s%s", prefix, strings.TrimRight(l, "\n"))
			}
		}
	}
	if lines > maxViolationLines {
		line("and %d more", lines-maxViolationLines)
	}
	return s.String()
}

// maxViolationLines is how many lines of violations a report has.
const maxViolationLines = 100

// formatCounts formats numbers with their names.
func formatCounts[K interface{ int | ~string }](m map[K]int, name func(K) string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], name(k)))
	}
	return strings.Join(parts, ", ")
}

// gauge returns the value of a metric on a page of metrics; 0 if it is missing.
func gauge(metrics, name string) float64 {
	for l := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(l, name+" "); ok {
			number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err == nil {
				return number
			}
		}
	}
	return 0
}
