package main

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/notify"
	"mkio-bridge/internal/openapitest"
)

var update = flag.Bool("update", false, "rewrite the generated sections of the documents")

// Documents that tests read.
const (
	configurationPage = "../../docs/configuration.md"
	metricsPage       = "../../docs/metrics.md"
)

// Sections of the documents between <!-- NAME --> and <!-- /NAME --> are generated from the code.
func TestPagesHaveGeneratedSections(t *testing.T) {
	for page, sections := range map[string]map[string]string{
		configurationPage: {"configuration": configurationTable()},
		metricsPage:       {"metrics": metricsTable(t, openForTest(t).metrics), "notify-metrics": metricsTable(t, notifyRegistry(notify.New(notify.Config{})))},
		"../../docs/events.md": {
			"phases":          phasesTable(),
			"event-fields":    eventTable(t),
			"progress-fields": progressTable(t),
			"event-headers":   headersTable(t, "event-headers.schema.json"),
		},
		notifyPage: {
			"rule":    rulesTable(t, "rule"),
			"filter":  rulesTable(t, "filter"),
			"webhook": rulesTable(t, "webhook"),
			"service": rulesTable(t, "service"),
		},
		"../../docs/http-api.md": {"routes": routesTable(t)},
		"../../docs/webhooks.md": {"unapplied-headers": headersTable(t, "unapplied.schema.json")},
		"../../docs/polling.md":  {"coverage-fields": coverageTable(t), "rights": rightsTable()},
	} {
		text := string(readFile(t, page))
		for name, content := range sections {
			text = replaceSection(t, page, text, name, content)
		}
		if *update {
			if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// replaceSection returns the text of a page with the content of one section replaced. Without -update, another content is an
// error.
func replaceSection(t *testing.T, page, text, name, content string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, begin)
	is, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no section %s…%s", page, begin, end)
	}
	if is != content && !*update {
		t.Errorf("the section %s of %s is out of date: run go test ./cmd/bridge -run Pages -update", name, page)
	}
	return before + begin + content + end + after
}

// rightsTable lists the rights that a token needs to poll each kind.
func rightsTable() string {
	var b strings.Builder
	b.WriteString("| to poll | the token needs |\n|---|---|\n")
	for _, kind := range pollableKinds() {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", kind, strings.Join(mkio.RightsToPoll(kind), "`, `"))
	}
	return b.String()
}

// configurationTable lists all settings.
func configurationTable() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range manual() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.name, quoted(v.defaultValue), v.meaning)
	}
	b.WriteString("\nEach secret (`" + strings.Join(secretNames(), "`, `") + "`) can stand in a file instead: add `_FILE` to its name. The file is read again when it changes.\n")
	return b.String()
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

var description = regexp.MustCompile(`^Desc\{fqName: "(mkio_bridge_[^"]+)", help: "(.*?)"(?:, unit: "[^"]*")?, constLabels: \{\}, variableLabels: \{(.*)\}\}$`)

// metricsTable lists the program's own metrics of a registry, including those without a series yet.
func metricsTable(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, f := range families {
		types[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descriptions := make(chan *prometheus.Desc)
	go func() { defer close(descriptions); registry.Describe(descriptions) }()
	var rows []string
	for d := range descriptions {
		parts := description.FindStringSubmatch(d.String())
		if parts == nil {
			continue
		}
		kind := types[parts[1]]
		switch {
		case kind == "" && strings.HasSuffix(parts[1], "_total"):
			kind = "counter"
		case kind == "":
			kind = "gauge"
		}
		var labels []string
		for label := range strings.FieldsFuncSeq(parts[3], func(r rune) bool { return r == ',' }) {
			labels = append(labels, "`"+label+"`")
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", parts[1], kind, strings.Join(labels, ", "), parts[2]))
	}
	slices.Sort(rows)
	return "| metric | type | labels | counts |\n|---|---|---|---|\n" + strings.Join(rows, "")
}

func TestMetricsAreWellNamed(t *testing.T) {
	for _, registry := range []*prometheus.Registry{openForTest(t).metrics, notifyRegistry(notify.New(notify.Config{}))} {
		problems, err := testutil.GatherAndLint(registry)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// phasesTable lists the states of each kind by phase.
func phasesTable() string {
	var b strings.Builder
	b.WriteString("| kind | its states by phase |\n|---|---|\n")
	words := func(states []lifecycle.StateInfo) string {
		var parts []string
		for _, phase := range lifecycle.Phases() {
			var list []string
			for _, s := range states {
				if s.Phase == phase {
					list = append(list, "`"+s.State+"`")
				}
			}
			if len(list) > 0 {
				parts = append(parts, string(phase)+": "+strings.ReplaceAll(strings.Join(list, ", "), "``", "the empty state"))
			}
		}
		return strings.Join(parts, "; ")
	}
	everywhere := lifecycle.States("")
	for _, kind := range lifecycle.Kinds() {
		own := slices.DeleteFunc(lifecycle.States(kind), func(s lifecycle.StateInfo) bool { return slices.Contains(everywhere, s) })
		fmt.Fprintf(&b, "| `%s` | %s |\n", kind, words(own))
	}
	fmt.Fprintf(&b, "| any kind | %s |\n", words(everywhere))
	return b.String()
}

// openForTest opens a bridge on its own store, without serving, and delivers one event to it, so that every stream and
// metric has content.
func openForTest(t *testing.T) *bridge {
	t.Helper()
	return openWith(t, nil)
}

// openWith is openForTest with changed settings; nil: the demo's.
func openWith(t *testing.T, change func(*config)) *bridge {
	t.Helper()
	conf := demoConfig(t.TempDir())
	if change != nil {
		change(&conf)
	}
	b, err := open(t.Context(), conf, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	if status := deliver(t, b, bridgetest.Delivery(t, "job-started.json")); status != 204 {
		t.Fatalf("status %d", status)
	}
	return b
}

// deliver makes a delivery without a network, and returns the status of the response.
func deliver(t *testing.T, b *bridge, body []byte) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhookPath, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Webhook-Secret", demoSecret)
	response := httptest.NewRecorder()
	openapitest.Check(b.publicRoutes()).ServeHTTP(response, request)
	return response.Code
}
