package chart

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// checkFiles checks that rendered alerts and dashboards have the complete content of their files.
func checkFiles(t *testing.T, r *rendering) {
	t.Helper()
	for _, rule := range all[*monitoring.PrometheusRule](r) {
		var want, is map[string]any
		unmarshal(t, file(t, chartDir+"/files/alerts.yaml"), &want)
		spec, err := yaml.Marshal(rule.Spec)
		if err != nil {
			t.Fatal(err)
		}
		unmarshal(t, spec, &is)
		if len(rule.Spec.Groups) == 0 || !reflect.DeepEqual(is, want) {
			t.Errorf("the PrometheusRule differs from files/alerts.yaml:\n%s", spec)
		}
	}
	for _, m := range all[*core.ConfigMap](r) {
		text, ok := m.Data["mkio-bridge.json"]
		if !ok {
			continue
		}
		if strings.TrimSpace(text) != strings.TrimSpace(string(file(t, chartDir+"/files/dashboard.json"))) || !json.Valid([]byte(text)) {
			t.Errorf("ConfigMap %s differs from files/dashboard.json", m.Name)
		}
	}
}

func file(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func unmarshal(t *testing.T, content []byte, into any) {
	t.Helper()
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

func TestAlertsAndDashboardWhenEnabled(t *testing.T) {
	r := mustRender(t, "{prometheusRule: {enabled: true}, dashboard: {enabled: true}}")
	checkFiles(t, r)
	one[*monitoring.PrometheusRule](t, r)
	if m := one[*core.ConfigMap](t, r); m.Labels["grafana_dashboard"] != "1" {
		t.Errorf("no label for Grafana's sidecar: %v", m.Labels)
	}
}
