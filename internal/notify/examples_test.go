package notify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// The rules files of examples/notify are valid, their targets open, and each rule words the event of a failed job.
func TestExampleRules(t *testing.T) {
	t.Setenv("NOTIFY_SLACK_URL", "slack://hook:T0000AAAA-B0000BBBB-24charactersOfTheSecret0@webhook")
	t.Setenv("NOTIFY_PAGERDUTY_URL", "pagerduty:///0123456789abcdef0123456789abcdef")
	t.Setenv("NOTIFY_WEBHOOK_URL", "https://automation.example.com/mkio-events")
	t.Setenv("NOTIFY_WEBHOOK_KEY", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	files, err := filepath.Glob("../../examples/notify/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, error %v", files, err)
	}
	selecting := map[string]bool{}
	for _, name := range files {
		file, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, r := range file.Rules {
			if _, err := r.OpenTarget(); err != nil {
				t.Errorf("%s, rule %s: %v", name, r.Name, err)
			}
			e, payload := failedJob(t)
			selecting[r.Name] = r.Filter.Match(e)
			for _, count := range []int{1, 17} {
				m, err := r.Render(e, payload, count)
				if err != nil || m.Title == "" || m.Text == "" {
					t.Errorf("%s, rule %s: message %q %q, error %v", name, r.Name, m.Title, m.Text, err)
				}
				if strings.HasPrefix(r.Name, "slack") && strings.Contains(m.Title+m.Text, "<!channel>") {
					t.Errorf("rule %s leaves markup: %q %q", r.Name, m.Title, m.Text)
				}
				t.Logf("%s: %s\n%s", r.Name, m.Title, m.Text)
			}
		}
	}
	for name, want := range map[string]bool{"slack-jobs": false, "slack-failures": true, "pagerduty-failed-jobs": true, "pagerduty-recovered-jobs": false, "automation": true} {
		if got, known := selecting[name]; got != want || !known {
			t.Errorf("rule %s: selects a failed job %t (known %t), want %t", name, got, known, want)
		}
	}
}

// The rules of the chart's tested values are valid.
func TestChartRules(t *testing.T) {
	t.Parallel()
	const name = "../../deploy/helm/mkio-bridge/ci/notify-values.yaml"
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var values struct{ Notify struct{ Rules yaml.Node } }
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	rules, err := yaml.Marshal(&values.Notify.Rules)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(name, rules); err != nil {
		t.Error(err)
	}
}

// failedJob returns the event of a job that failed, with markup in its texts.
func failedJob(t *testing.T) (event.Event, []byte) {
	t.Helper()
	var all map[string]any
	m := testMessage(t)
	original, err := json.Marshal(m.Event)
	if err == nil {
		err = json.Unmarshal(original, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	data := all["data"].(map[string]any)
	data["state"], data["phase"] = "Error", lifecycle.Failed
	data["path"] = []string{"ladder-hd", "<!channel>"}
	data["errors"] = []map[string]string{{"code": "UploadFailed", "message": "no space in <!channel>"}, {"message": "second"}}
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	return e, payload
}
