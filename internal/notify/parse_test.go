package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

const targetLines = "targets:\n  main: {webhook: {url: \"https://hooks.invalid/x\"}}\n"

func TestMistakesAreInTheOrderOfLines(t *testing.T) {
	t.Parallel()
	_, err := Parse("rules.yaml", []byte("targets:\n  a:\n    webhok: {}\nrules:\n  - name: X\n    target: a\n    parallel: 0\n"))
	if err == nil {
		t.Fatal("the file is accepted")
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		lines = append(lines, line[:len("rules.yaml:0:")])
	}
	if want := []string{"rules.yaml:3:", "rules.yaml:5:", "rules.yaml:7:"}; !slices.Equal(lines, want) {
		t.Errorf("%q in\n%v", lines, err)
	}
}

func TestMistakesHaveTheirLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, content, want string }{
		{"empty", "", "rules.yaml is empty"},
		{"no YAML", "targets: [", "line 1"},
		{"twice", targetLines + "rules:\n  - {name: a, target: main}\nrules: []\n", "already defined at line 3"},
		{"unknown member", targetLines + "rules:\n  - name: a\n    target: main\n    filter:\n      knd: job\n", "rules.yaml:7: rules[0].filter.knd: unknown member; did you mean kind?"},
		{"unknown kind", targetLines + "rules:\n  - name: a\n    target: main\n    filter:\n      kind: jobs\n", "rules.yaml:7: rules[0].filter.kind: value must be one of"},
		{"unknown kind in a list", targetLines + "rules:\n  - name: a\n    target: main\n    filter:\n      kind:\n        - job\n        - jobs\n", "rules.yaml:9: rules[0].filter.kind[1]: value must be one of"},
		{"no name", targetLines + "rules:\n  - target: main\n", "rules.yaml:4: rules[0]: missing property 'name'"},
		{"bad duration", targetLines + "rules:\n  - name: a\n    target: main\n    retry: {first: soon}\n", "rules.yaml:6: rules[0].retry.first: 'soon' does not match"},
		{"unknown target", targetLines + "rules:\n  - name: a\n    target: mian\n", "rules.yaml:5: rules[0].target: there is no target mian; did you mean main?"},
		{"two of a name", targetLines + "rules:\n  - {name: a, target: main}\n  - {name: a, target: main}\n", "rules.yaml:5: rules[1].name: another rule has the name a"},
		{"bad template", targetLines + "rules:\n  - name: a\n    target: main\n    title: '{{.data.stat}}'\n", "rules.yaml:6: rules[0].title: an event has no .data.stat; did you mean .data.state?"},
		{"unknown function", targetLines + "rules:\n  - name: a\n    target: main\n    text: '{{shout .data.state}}'\n", `rules.yaml:6: rules[0].text: template: text:1: function "shout" not defined`},
		{"bad zone", targetLines + "rules:\n  - name: a\n    target: main\n    mute:\n      - zone: Europe/Olso\n", `rules.yaml:7: rules[0].mute[0]: unknown time zone "Europe/Olso"`},
		{"bad pattern", targetLines + "rules:\n  - name: a\n    target: main\n    filter: {name: '[a'}\n", "rules.yaml:6: rules[0].filter.name:"},
	} {
		_, err := Parse("rules.yaml", []byte(tt.content))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\nwant %s", tt.name, err, tt.want)
		}
	}
}

// All mistakes of a file are reported at once.
func TestAllMistakesAreReported(t *testing.T) {
	t.Parallel()
	_, err := Parse("r", []byte(targetLines+"rules:\n  - {name: a, target: x}\n  - {name: b, target: y}\n"))
	if err == nil || strings.Count(err.Error(), "there is no target") != 2 {
		t.Error(err)
	}
}

// A rule that sets nothing has the defaults, and a list may be a word.
func TestDefaults(t *testing.T) {
	t.Parallel()
	f, err := Parse("r", []byte(targetLines+"rules:\n  - {name: a, target: main, filter: {kind: job, state: [Error, Canceled]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := f.Rules[0]
	if r.Retry.Tries != defaultTries || time.Duration(r.Retry.Max) != defaultMax || r.From != FromNew || r.Parallel != defaultParallel {
		t.Errorf("%+v", r.RuleConfig)
	}
	if got := r.Filter.String(); got != "kind job, state Error or Canceled" {
		t.Error(got)
	}
	if err := r.Check(names); err != nil {
		t.Error(err)
	}
}

// The server preselects by subjects where they are few; the rest is compared with each event.
func TestFilterSubjects(t *testing.T) {
	t.Parallel()
	many := make(Words, 50)
	for i := range many {
		many[i] = strings.Repeat("p", i+1)
	}
	for _, tt := range []struct {
		filter Filter
		want   []string
	}{
		{Filter{}, nil},
		{Filter{Phase: Words{"failed"}}, nil},
		{Filter{Kind: Words{"job"}}, []string{"mkio.job.*.>"}},
		{Filter{Kind: Words{"job"}, State: Words{"Error", "error", "unset"}}, []string{"mkio.job.*.*.*.error", "mkio.job.*.*.*.unset"}},
		{Filter{Project: Words{"a b", "c"}, Name: Words{"ep-*"}}, []string{"mkio.*.a=20b.>", "mkio.*.c.>"}},
		{Filter{Kind: Words{"job"}, Project: many}, []string{"mkio.job.*.>"}},
	} {
		if got := tt.filter.Subjects(names); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.filter, got, tt.want)
		}
	}
}

func TestFilterMatch(t *testing.T) {
	t.Parallel()
	e := event.Event{Event: cloudevents.New(), Data: event.Data{Kind: lifecycle.Job, Project: "news", Name: "ep-1", State: "Error", Phase: lifecycle.Failed, Via: lifecycle.Webhook}}
	e.SetType(event.TypeOf(lifecycle.Job, false))
	discovered := e
	discovered.Event = e.Clone()
	discovered.SetType(event.TypeOf(lifecycle.Job, true))
	for _, tt := range []struct {
		filter Filter
		event  event.Event
		want   bool
	}{
		{Filter{}, e, true},
		{Filter{}, discovered, false},
		{Filter{Discovered: true}, discovered, true},
		{Filter{Name: Words{"ep-?", "x"}, State: Words{"ERROR"}, Via: Words{"poll", "webhook"}}, e, true},
		{Filter{Name: Words{"ep"}}, e, false},
		{Filter{Phase: Words{"succeeded"}}, e, false},
		{Filter{State: Words{"unset"}}, e, false},
		{Filter{Project: Words{"News"}}, e, false},
	} {
		if got := tt.filter.Match(tt.event); got != tt.want {
			t.Errorf("%s matches %s: %t", tt.filter, tt.event.Type(), got)
		}
	}
}

// Each rule has a sample event that it selects.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, f := range []Filter{
		{},
		{Kind: Words{"asset"}},
		{Kind: Words{"scheduled-operation"}, State: Words{"Accepted"}},
		{Phase: Words{"failed"}, Via: Words{"poll"}},
		{Kind: Words{"live-event"}, Name: Words{"studio-*"}, State: Words{"unset"}},
		{Project: Words{"a b"}},
		{Phase: Words{"ready"}},
		{Phase: Words{"unknown"}},
		{Kind: Words{"asset", "job"}, Phase: Words{"succeeded"}},
		{Name: Words{`[a-c]*`}},
	} {
		r := &Rule{RuleConfig: RuleConfig{Name: "r", Filter: f}}
		if e, _, err := r.Sample(names, epoch); err != nil {
			t.Errorf("%s: %v, %s", f, err, e)
		}
	}
	r := &Rule{RuleConfig: RuleConfig{Filter: Filter{Phase: Words{"failed"}, State: Words{"Finished"}}}}
	if _, _, err := r.Sample(names, epoch); err == nil || !strings.Contains(err.Error(), "selects no event") {
		t.Error(err)
	}
}

// Templates see the event with its JSON names. What names hold cannot break out of the text.
func TestTemplates(t *testing.T) {
	t.Parallel()
	const payload = `{"id":"1","time":"2031-03-04T10:19:36.9Z","data":{"kind":"job","project":"news","path":["ladder","<!channel>"],` +
		`"transition":12345678,"state":"","previousState":"Queued","errors":[{"message":"no \"disk\""}]}}`
	for text, want := range map[string]string{
		defaultTitle: "job news/ladder/<!channel> is unset",
		defaultText:  "was Queued, transition 12345678, 2031-03-04T10:19:36.9Z\nerror: no \"disk\"",
		`{{slack (path .data.path)}} {{json .data.errors}}`:      `/ladder/&lt;!channel&gt; [{"message":"no \"disk\""}]`,
		`{{date "15:04" "Europe/Oslo" .time}} {{upper .rule}}`:   "11:19 R",
		`{{truncate 3 "æøåé"}} {{default "none" .data.nothing}}`: "",
		`{{if gt .count 1}}many{{else}}one{{end}}`:               "one",
	} {
		tmpl, err := parseTemplate("text", text)
		if strings.Contains(text, ".data.nothing") {
			if err == nil {
				t.Error("an unknown member is accepted")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		empty, _ := parseTemplate("title", "")
		r := &Rule{RuleConfig: RuleConfig{Name: "r"}, title: empty, text: tmpl}
		m, err := r.Render(event.Event{}, []byte(payload), 1)
		if err != nil || m.Text != want {
			t.Errorf("%s: %q, want %q (%v)", text, m.Text, want, err)
		}
	}
}
