package chart

import (
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// setting matches a row of the table of settings in docs/configuration.md, which is generated from the program.
var setting = regexp.MustCompile("(?m)^\\| `(BRIDGE_[A-Z0-9_]+)` \\| (?:`([^`]*)`)? \\|")

// settings returns the program's settings with their defaults.
func settings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, row := range setting.FindAllStringSubmatch(string(file(t, root+"/docs/configuration.md")), -1) {
		found[row[1]] = row[2]
	}
	if len(found) < 30 {
		t.Fatalf("docs/configuration.md lists only %d settings", len(found))
	}
	return found
}

func TestSettingsAndValuesCorrespond(t *testing.T) {
	known := settings(t)
	set := map[string]string{}
	for name, values := range documented(t) {
		r, err := render(values)
		if err != nil {
			t.Fatal(err)
		}
		for variable := range r.env(t) {
			if plain, ok := strings.CutPrefix(strings.TrimSuffix(variable, "_FILE"), "BRIDGE_"); ok {
				set["BRIDGE_"+plain] = name
			}
		}
	}
	for name := range known {
		if set[name] == "" {
			t.Errorf("no file under ci/ sets %s: add a value to values.yaml, the schema and a file under ci/", name)
		}
	}
	for name, where := range set {
		if _, ok := known[name]; !ok {
			t.Errorf("%s, set by ci/%s-values.yaml, is not a setting of the bridge", name, where)
		}
	}
}

// values.yaml repeats defaults for its readers: they must be the program's.
func TestConfigDefaultsMatchTheProgram(t *testing.T) {
	var values struct{ Config map[string]any }
	if err := yaml.Unmarshal(file(t, chartDir+"/values.yaml"), &values); err != nil {
		t.Fatal(err)
	}
	known := settings(t)
	for variable, value := range mustRender(t, "").env(t) {
		name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "BRIDGE_")), "_", "")
		for key := range values.Config {
			if strings.ToLower(key) == name && value != known[variable] {
				t.Errorf("config.%s is %q, and %s is %q by default", key, value, variable, known[variable])
			}
		}
	}
}
