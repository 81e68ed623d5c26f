package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode/utf8"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/spelling"
)

// The templates of a rule that has none.
const (
	defaultTitle = `{{.data.kind}} {{.data.project}}{{path .data.path}} is {{default "unset" .data.state}}{{if gt .count 1}} ({{.count}} events){{end}}`
	defaultText  = `{{with .data.previousState}}was {{.}}, {{end}}transition {{.data.transition}}, {{.time}}{{range .data.errors}}
{{default "error" .code}}: {{.message}}{{end}}`
)

// maxText limits the output of a template, in bytes; a longer one is cut.
const maxText = 32 << 10

// functions are the functions of templates, besides those of text/template.
var functions = template.FuncMap{
	// json encodes a value as JSON, with the quotes of a text.
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	// path joins the names of a resource: {{path .data.path}} is /ladder-hd/ep-0417.
	"path": func(names []any) string {
		var b strings.Builder
		for _, name := range names {
			fmt.Fprintf(&b, "/%v", name)
		}
		return b.String()
	},
	// default is the second argument, or the first if the second is missing or empty.
	"default": func(instead, v any) any {
		if v == nil || reflect.ValueOf(v).IsZero() {
			return instead
		}
		return v
	},
	// truncate cuts a text to a number of characters.
	"truncate": func(length int, s string) string {
		if r := []rune(s); len(r) > max(length, 1) {
			return string(r[:max(length, 1)-1]) + "…"
		}
		return s
	},
	// date formats a time of the event: {{date "15:04" "Europe/Oslo" .time}}.
	"date": func(layout, zone, v string) (string, error) {
		location, err := time.LoadLocation(zone)
		if err != nil {
			return "", fmt.Errorf("unknown time zone %q", zone)
		}
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return "", fmt.Errorf("%q is not a time of the event", v)
		}
		return t.In(location).Format(layout), nil
	},
	// slack escapes the characters of Slack's markup: a job named <!channel> does not notify the channel.
	"slack": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
}

// Functions returns the names of the functions that templates have besides those of text/template.
func Functions() []string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	return names
}

// parseTemplate parses a template, and refuses members of data that no event has.
func parseTemplate(name, text string) (*template.Template, error) {
	t, err := template.New(name).Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	var unknown error
	walk(t.Root, func(f *parse.FieldNode) {
		if known := dataMembers(); len(f.Ident) > 1 && f.Ident[0] == "data" && !slices.Contains(known, f.Ident[1]) {
			unknown = fmt.Errorf("an event has no .data.%s; did you mean .data.%s?", f.Ident[1], spelling.Nearest(f.Ident[1], known))
		}
	})
	return t, unknown
}

// dataMembers returns the names of the members of an event's data.
func dataMembers() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[event.Data]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// walk calls do for every field that a template names.
func walk(n parse.Node, do func(*parse.FieldNode)) {
	switch n := n.(type) {
	case *parse.FieldNode:
		do(n)
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				walk(child, do)
			}
		}
	case *parse.ActionNode:
		walk(n.Pipe, do)
	case *parse.PipeNode:
		if n != nil {
			for _, command := range n.Cmds {
				walk(command, do)
			}
		}
	case *parse.CommandNode:
		for _, argument := range n.Args {
			walk(argument, do)
		}
	case *parse.IfNode:
		walkBranch(&n.BranchNode, do)
	case *parse.RangeNode:
		walkBranch(&n.BranchNode, do)
	case *parse.WithNode:
		walkBranch(&n.BranchNode, do)
	}
}

func walkBranch(n *parse.BranchNode, do func(*parse.FieldNode)) {
	walk(n.Pipe, do)
	walk(n.List, do)
	walk(n.ElseList, do)
}

// errTooLong ends the execution of a template whose output is over maxText.
var errTooLong = errors.New("too long")

// Render makes the message for an event, or for a group of which it is the newest. Templates see the CloudEvent with its
// JSON names, and count and rule.
func (r *Rule) Render(e event.Event, payload []byte, count int) (Message, error) {
	var data map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber() // 12345678, not 1.2345678e+07
	if err := decoder.Decode(&data); err != nil {
		return Message{}, fmt.Errorf("the event is not JSON: %w", err)
	}
	data["count"], data["rule"] = count, r.Name
	title, err := execute(r.title, data)
	if err != nil {
		return Message{}, err
	}
	text, err := execute(r.text, data)
	return Message{Rule: r.Name, Event: e.Event, Count: count, Title: title, Text: text}, err
}

// execute executes a template. A template can run into any error of the event's content, which the parser cannot foresee.
func execute(t *template.Template, data any) (string, error) {
	var out limited
	if err := t.Execute(&out, data); err != nil && !errors.Is(err, errTooLong) {
		return "", err
	}
	return strings.ToValidUTF8(strings.TrimSpace(out.String()), string(utf8.RuneError)), nil
}

// limited is a buffer that takes up to maxText bytes.
type limited struct{ strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if rest := maxText - l.Len(); len(p) > rest {
		l.Builder.Write(p[:rest])
		return rest, errTooLong
	}
	return l.Builder.Write(p)
}
