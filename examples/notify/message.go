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

// slackTemplate is the default body.
//
//go:embed slack.tmpl
var slackTemplate string

// functions are the additional functions of templates.
var functions = template.FuncMap{
	// json encodes any value as JSON, including the quotes of a string, so that a name cannot break out of them.
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	// slack escapes Slack's markup: a job named <!channel> must not notify the channel.
	"slack": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace,
	// path joins the names of a resource's path.
	"path": func(names []any) string {
		var b strings.Builder
		for _, name := range names {
			fmt.Fprintf(&b, "/%v", name)
		}
		return b.String()
	},
}

// readTemplate parses the template in a file; "": the one for Slack.
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

// render returns the body for an event. Templates use the CloudEvent with its JSON names: {{.data.state}}.
func render(t *template.Template, payload []byte) ([]byte, error) {
	var event map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber() // 12345678, not 1.2345678e+07
	if err := decoder.Decode(&event); err != nil {
		return nil, fmt.Errorf("not a CloudEvent: %w", err)
	}
	var body bytes.Buffer
	if err := t.Execute(&body, event); err != nil {
		return nil, fmt.Errorf("execute the template: %w", err)
	}
	return body.Bytes(), nil
}
