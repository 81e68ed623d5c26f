//go:build e2e

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"mkio-bridge/internal/economy"
)

// economyDays are the days of the table in docs/performance.md.
var economyDays = []struct {
	name, happens string
	size          economy.Size
}{
	{"quiet", "40 jobs, two live sessions", economy.Quiet},
	{"busy", "1,000 jobs, 20 live sessions", economy.Busy},
	{"burst", "a quiet day, with an archive of 5,000 jobs submitted within ten seconds", economy.Burst},
}

// economyLosses are the shares of webhooks that are lost.
var economyLosses = []float64{0, 0.3, 1}

// TestSoakEconomy executes the bridge on each day of the table, with each loss, and once on a day without a change. It prints
// the table; with -update it writes it to docs/performance.md.
func TestSoakEconomy(t *testing.T) {
	c := economyConfig(t)
	var mu sync.Mutex
	runs := map[string]economyRun{}
	name := func(day string, lost float64) string { return fmt.Sprintf("%s day, %.0f %% lost", day, 100*lost) }
	execute := func(t *testing.T, day string, size economy.Size, lost float64) {
		t.Helper()
		t.Run(name(day, lost), func(t *testing.T) {
			t.Parallel()
			run := runEconomy(t, c, size, lost)
			t.Logf("\n%s", economy.Table(run.rows(c, lost)))
			run.check(t, c)
			mu.Lock()
			defer mu.Unlock()
			runs[name(day, lost)] = run
		})
	}
	t.Run("days", func(t *testing.T) {
		execute(t, "idle", economy.Idle, 0)
		for _, day := range economyDays {
			for _, lost := range economyLosses {
				execute(t, day.name, day.size, lost)
			}
		}
	})
	idle := runs[name("idle", 0)]
	text := fmt.Sprintf("A day on which nothing changes costs the bridge %s requests, at most %d in a minute: the price of its sweeps. "+
		"The hour of its first start, in which it finds %s resources, costs %s.\n",
		economy.Grouped(idle.bridge.Requests), idle.bridge.MostPerMinute, economy.Grouped(economy.Idle.Resources), economy.Grouped(idle.start))
	for _, day := range economyDays {
		rows := runs[name(day.name, 0)].rows(c, 0)
		oracle := rows[len(rows)-1]
		rows = rows[:len(rows)-2]
		for _, lost := range economyLosses {
			rows = append(rows, runs[name(day.name, lost)].row(lost))
		}
		text += fmt.Sprintf("\nThe %s day: %s.\n\n%s", day.name, day.happens, economy.Table(append(rows, oracle)))
	}
	runs[name("busy", 0)].checkNearOracle(t, idle.bridge.Requests)
	t.Log("\n" + text)
	if *update {
		writeSection(t, "../../docs/performance.md", "economy", text)
	}
}

// writeSection replaces a generated section of a document.
func writeSection(t *testing.T, file, section, text string) {
	t.Helper()
	begin, end := "<!-- "+section+" -->\n", "<!-- /"+section+" -->"
	before, rest, ok := strings.Cut(string(readFile(t, file)), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no section %s…%s", file, begin, end)
	}
	if err := os.WriteFile(file, []byte(before+begin+text+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
