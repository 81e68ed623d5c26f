package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"mkio-bridge/internal/notify"
)

const (
	alertsFile    = "../../deploy/helm/mkio-bridge/files/alerts.yaml"
	alertsTests   = "../../deploy/prometheus/alerts_test.yaml"
	alertsManual  = "../../docs/alerts.md"
	dashboardFile = "../../deploy/helm/mkio-bridge/files/dashboard.json"
)

// An alertRule is a rule of alertsFile.
type alertRule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alertRule }
	}
	if err := yaml.Unmarshal(readFile(t, alertsFile), &file); err != nil {
		t.Fatal(err)
	}
	var all []alertRule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// A panel has the parts of a dashboard's panel that are checked. Collapsed rows contain panels.
type panel struct {
	Title, Type, Description string
	Targets                  []struct{ Expr string }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Panels                   []panel
}

// A dashboard has panels, and template variables with queries.
type dashboard struct {
	Panels     []panel
	Templating struct {
		List []struct {
			Name  string
			Query any
		}
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, dashboardFile), &d); err != nil {
		t.Fatal(err)
	}
	var all []panel
	for _, p := range d.Panels {
		all = append(append(all, p), p.Panels...)
	}
	d.Panels = slices.DeleteFunc(all, func(p panel) bool { return p.Type == "row" })
	return d
}

// expressions returns the PromQL of all alerts and panels, by the name of the alert or panel.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, r := range alertRules(t) {
		found["alert "+r.Alert+" "+r.Labels["severity"]] = r.Expr
	}
	for _, p := range readDashboard(t).Panels {
		for i, target := range p.Targets {
			found["panel "+p.Title+" "+strconv.Itoa(i)] = target.Expr
		}
	}
	return found
}

var metricName = regexp.MustCompile(`\b(?:mkio_bridge|go|process)_[a-z_]+`)

// An alert or panel that queries a metric that does not exist would stay silent forever.
func TestAlertsAndPanelsQueryExistingMetrics(t *testing.T) {
	b := openForTest(t)
	exists := map[string]bool{}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		b.metrics.Describe(descriptions)
		notifyRegistry(notify.New(notify.Config{})).Describe(descriptions)
	}()
	for d := range descriptions {
		_, rest, _ := strings.Cut(d.String(), `fqName: "`)
		name, _, _ := strings.Cut(rest, `"`)
		exists[name] = true
	}
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families { // the process collector describes no metrics
		exists[f.GetName()] = true
	}
	documented := readFile(t, metricsPage)
	histogram := regexp.MustCompile(`_(bucket|sum|count)$`)
	used := map[string]bool{}
	queries := expressions(t)
	for _, v := range readDashboard(t).Templating.List {
		queries["variable "+v.Name] = fmt.Sprint(v.Query)
	}
	for source, expr := range queries {
		for _, name := range metricName.FindAllString(expr, -1) {
			base := histogram.ReplaceAllString(name, "")
			used[name], used[base] = true, true
			switch {
			case !exists[name] && !exists[base]:
				t.Errorf("%s: there is no metric %s", source, name)
			case strings.HasPrefix(name, "mkio_") && !bytes.Contains(documented, []byte("| `"+name+"` |")) && !bytes.Contains(documented, []byte("| `"+base+"` |")):
				t.Errorf("%s: %s does not have %s", source, metricsPage, name)
			}
		}
	}
	for name := range exists {
		if strings.HasPrefix(name, "mkio_bridge_") && !used[name] {
			t.Errorf("neither an alert nor a panel uses %s", name)
		}
	}
}

func TestEveryAlertIsExplainedAndTested(t *testing.T) {
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^## (MkioBridge\w+)$`).FindAllStringSubmatch(string(readFile(t, alertsManual)), -1) {
		headings[m[1]] = true
	}
	tests := string(readFile(t, alertsTests))
	names := map[string]bool{}
	for _, r := range alertRules(t) {
		names[r.Alert] = true
		if s := r.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s does not say what it means", r.Alert)
		}
		if want := "docs/alerts.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			t.Errorf("%s refers to %q, want %q", r.Alert, r.Annotations["runbook"], want)
		}
		fires := regexp.MustCompile(`labels: 'ALERTS\{alertname="` + r.Alert + `", [^}]*severity="` + r.Labels["severity"] + `"`)
		if !fires.MatchString(tests) {
			t.Errorf("no test makes %s %s fire", r.Alert, r.Labels["severity"])
		}
	}
	if !maps.Equal(headings, names) {
		t.Errorf("docs/alerts.md explains %v, there are %v", slices.Sorted(maps.Keys(headings)), slices.Sorted(maps.Keys(names)))
	}
}

func TestEveryPanelIsDescribed(t *testing.T) {
	titles := map[string]bool{}
	for _, p := range readDashboard(t).Panels {
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("panel %q lacks a description, a unit or a query", p.Title)
		}
		if titles[p.Title] {
			t.Errorf("two panels have the title %q", p.Title)
		}
		titles[p.Title] = true
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
