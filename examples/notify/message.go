package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

// slackTemplate is the body where nobody wrote another.
//
//go:embed slack.tmpl
var slackTemplate string

// functions are what a template can call beside its own.
var functions = template.FuncMap{
	// json writes any value as JSON, quotes of a string included: whatever a name holds, it stays inside them.
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	// slack keeps a text from being markup: a job named <!channel> is to call nobody.
	"slack": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace,
	// path writes the names that lead to a resource as one.
	"path": func(names []any) string {
		var b strings.Builder
		for _, name := range names {
			fmt.Fprintf(&b, "/%v", name)
		}
		return b.String()
	},
}

// readTemplate reads the template of a file; "": the one for Slack.
func readTemplate(file string) (*template.Template, error) {
	text := slackTemplate
	if file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text = string(content)
	}
	return template.New("body").Funcs(functions).Parse(text)
}

// render makes the body of an event. Templates see the CloudEvent as its JSON names it: {{.data.state}}.
func render(t *template.Template, payload []byte) ([]byte, error) {
	var event map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber() // 12345678 is to read so, not 1.2345678e+07
	if err := decoder.Decode(&event); err != nil {
		return nil, fmt.Errorf("it is no CloudEvent: %w", err)
	}
	var body bytes.Buffer
	if err := t.Execute(&body, event); err != nil {
		return nil, fmt.Errorf("the template cannot word it: %w", err)
	}
	return body.Bytes(), nil
}
