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

// A Report is what was done to the bridges, and what they made of it.
type Report struct {
	Config     Config
	Began      time.Time
	Answers    map[int]int // deliveries by status; 0: no answer came
	Changes    int         // of state in MK.IO
	Events     int         // in the log
	Via        map[lifecycle.Via]int
	Unapplied  int
	LostBytes  int64         // of what NATS answered
	Converged  time.Duration // from the last fault until the log was as MK.IO is
	Bridges    []bridgeReport
	Impossible []string // faults that cannot be made here

	mu         sync.Mutex
	faults     map[string]*faultReport
	Violations []string
}

type bridgeReport struct {
	name       string
	exits      map[string]int
	peak       int64 // bytes of memory
	goroutines float64
}

type faultReport struct {
	times, failed int
	worst         time.Duration
}

func newReport(c Config) *Report {
	return &Report{Config: c, Began: time.Now(), Via: map[lifecycle.Via]int{}, faults: map[string]*faultReport{}}
}

func (r *Report) bad(format string, args ...any) {
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

// made notes a fault, whether it was made as it was meant, and how long the bridges took to recover from it.
func (r *Report) made(name string, asMeant bool, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.fault(name)
	f.worst = max(f.worst, took)
	if asMeant {
		f.times++
	} else {
		f.failed++
	}
}

// Deliveries is how many were sent.
func (r *Report) Deliveries() int {
	all := 0
	for _, n := range r.Answers {
		all += n
	}
	return all
}

// Made returns how many faults were made as they were meant.
func (r *Report) Made() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := 0
	for _, f := range r.faults {
		all += f.times
	}
	return all
}

// String writes the report for people, as Markdown.
func (r *Report) String() string {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	where := fmt.Sprintf("%d bridges on 3 NATS servers", r.Config.Bridges)
	if r.Config.Embedded {
		where = "one bridge with an embedded server"
	}
	long := fmt.Sprintf("%s of faults", r.Config.For)
	if r.Config.Enough > 0 {
		long = fmt.Sprintf("%d faults or %s", r.Config.Enough, long)
	}
	line("%s, seed %d, %s\n", where, r.Config.Seed, long)
	line("| | |\n|---|---|")
	line("| deliveries | %d: %s |", r.Deliveries(), counts(r.Answers, func(status int) string {
		if status == 0 {
			return "without an answer"
		}
		return strconv.Itoa(status)
	}))
	line("| changes of state in MK.IO | %d |", r.Changes)
	line("| events in the log | %d: %s |", r.Events, counts(r.Via, func(v lifecycle.Via) string { return string(v) }))
	line("| kept in `MKIO_UNAPPLIED` | %d |", r.Unapplied)
	line("| faults | %d |", r.Made())
	line("| answers of NATS thrown away | %d bytes |", r.LostBytes)
	line("| silent and converged after the last fault | %s |", r.Converged)
	for _, b := range r.Bridges {
		line("| %s | ended: %s; at most %d MiB; %.0f goroutines at the end |", b.name, counts(b.exits, func(how string) string { return how }), b.peak>>20, b.goroutines)
	}
	line("\n| fault | times | not as meant | worst recovery |\n|---|---:|---:|---:|")
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		f := r.faults[name]
		line("| %s | %d | %d | %s |", name, f.times, f.failed, f.worst.Round(10*time.Millisecond))
	}
	for _, name := range r.Impossible {
		line("| %s | cannot be made here | | |", name)
	}
	line("")
	if len(r.Violations) == 0 {
		line("Nothing acknowledged was lost, nothing is twice, no order is broken, nothing was made up, and the log is as MK.IO is.")
	}
	shown := 0
	for _, v := range r.Violations {
		for l := range strings.Lines(v) { // a judge joins what it finds
			what := "VIOLATION: "
			if strings.HasPrefix(l, " ") || strings.HasPrefix(l, "history") { // it explains the one before
				what = ""
			}
			if shown++; shown <= mostShown {
				line("%s%s", what, strings.TrimRight(l, "\n"))
			}
		}
	}
	if shown > mostShown {
		line("and %d more", shown-mostShown)
	}
	return s.String()
}

// mostShown is how many lines of violations a report shows.
const mostShown = 100

// counts writes numbers down, each with what it counts.
func counts[K interface{ int | ~string }](m map[K]int, name func(K) string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], name(k)))
	}
	return strings.Join(parts, ", ")
}

// gauge reads one value from a page of metrics.
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
