package main

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
)

// After a day of a faulty MK.IO the metrics follow Prometheus' conventions, and labels have values of closed sets only: a
// label with resource names would create a series for each.
func TestMetricsOfADay(t *testing.T) {
	bridgetest.SkipIfShort(t)
	simulate(t, 1, mkiofake.Rude, func(s *simulation) {
		s.settle()
		problems, err := testutil.GatherAndLint(s.bridge.metrics)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		families, err := s.bridge.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		closed := closedLabels()
		series := 0
		for _, family := range families {
			if !strings.HasPrefix(family.GetName(), "mkio_bridge_") {
				continue
			}
			for _, m := range family.GetMetric() {
				series++
				for _, l := range m.GetLabel() {
					if values, ok := closed[l.GetName()]; !ok || !values.MatchString(l.GetValue()) {
						t.Errorf("%s has %s=%q, which does not match %s", family.GetName(), l.GetName(), l.GetValue(), values)
					}
				}
			}
		}
		if most := 1500; series > most {
			t.Errorf("%d series for two projects, more than %d", series, most)
		}
	})
}

// closedLabels returns the values that each label may have.
func closedLabels() map[string]*regexp.Regexp {
	one := func(words ...string) *regexp.Regexp {
		for i, w := range words {
			words[i] = regexp.QuoteMeta(w)
		}
		return regexp.MustCompile("^(" + strings.Join(words, "|") + ")$")
	}
	kinds := texts(lifecycle.Kinds())
	lists := []string{"resource", "history", "rule", "projects"}
	for _, l := range mkio.Lists("p", lifecycle.Kinds()) {
		lists = append(lists, l.String())
	}
	var transient []string
	for _, kind := range lifecycle.Kinds() {
		for _, s := range lifecycle.States(kind) {
			if state, ok := lifecycle.Transient(kind, s.State, ""); ok {
				transient = append(transient, state)
			}
		}
	}
	code := regexp.MustCompile(`^([1-5][0-9][0-9]|none)$`)
	return map[string]*regexp.Regexp{
		"kind":      one(kinds...),
		"project":   one("", mkiofake.VOD, mkiofake.Live),
		"via":       one(texts([]lifecycle.Via{lifecycle.Webhook, lifecycle.Poll, lifecycle.History})...),
		"outcome":   one("changed", "repeat", "flap", "late", "conflict"),
		"result":    one("stored", "conflict", "failed"),
		"state":     one(transient...),
		"age":       one("0s", "5m", "1h", "6h", "1d"),
		"method":    one("GET", "POST", "PUT", "DELETE", "OPTIONS", "other"),
		"code":      code,
		"class":     one("urgent", "changes", "sweeps"),
		"list":      one(slices.Concat(kinds, lists)...),
		"reason":    regexp.MustCompile(`^([1-5][0-9][0-9]|network|log|incomplete|answer|late|conflict|malformed|unrecognised)$`),
		"status":    one("sent", "unsent", mkio.StatusFailed, mkio.StatusRetrying, mkio.StatusPending),
		"version":   one(version()),
		"goversion": one(runtime.Version()),
	}
}

func texts[S ~string](words []S) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return all
}
