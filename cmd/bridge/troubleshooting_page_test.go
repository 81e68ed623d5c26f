package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	docs                = "../../docs/"
	troubleshootingPage = docs + "troubleshooting.md"
)

// Operators search the page for what they see, and type what it says: each quoted text is in the code, and each setting,
// metric and alert exists.
func TestTroubleshootingPage(t *testing.T) {
	page := string(readFile(t, troubleshootingPage))
	checkQuotedTexts(t, page)
	known := string(readFile(t, alertsManual)) + string(readFile(t, "../../deploy/helm/mkio-bridge/files/alerts.yaml")) + string(readFile(t, "../../deploy/helm/mkio-bridge/files/dashboard.json"))
	for _, name := range regexp.MustCompile("mkio_bridge_[a-z_]+|MkioBridge[A-Za-z]+").FindAllString(page, -1) {
		if !strings.Contains(known, name) {
			t.Errorf("neither an alert nor a panel has %s", name)
		}
	}
	var settings []string
	for _, v := range manual() {
		settings = append(settings, v.name)
	}
	for _, name := range secretNames() {
		settings = append(settings, name+fileSuffix)
	}
	for _, name := range regexp.MustCompile("BRIDGE_[A-Z_]+[A-Z]").FindAllString(page, -1) {
		if !slices.Contains(settings, name) {
			t.Errorf("there is no setting %s", name)
		}
	}
}

// checkQuotedTexts checks that the code has each line of the text blocks, apart from what … stands for.
func checkQuotedTexts(t *testing.T, page string) {
	t.Helper()
	code := sourceCode(t)
	quoted := 0
	for _, block := range regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			for part := range strings.SplitSeq(line, "…") {
				if part = strings.Trim(part, " :;,\n"); part == "" {
					continue
				}
				quoted++
				if !strings.Contains(code, part) {
					t.Errorf("no source file has the text %q", part)
				}
			}
		}
	}
	if quoted < 50 {
		t.Errorf("the page quotes %d texts", quoted)
	}
}

// sourceCode returns the text of all source files but tests. Literals that are joined from several lines are joined here too.
func sourceCode(t *testing.T) string {
	t.Helper()
	var code strings.Builder
	for _, root := range []string{".", "../../internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			code.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return regexp.MustCompile(`" \+\n\s*"`).ReplaceAllString(code.String(), "")
}

// The log lines that pages for operators name are in the code, and so are the panels: a renamed one is found by nobody.
func TestOperatorPagesNameLogLinesAndPanels(t *testing.T) {
	code := sourceCode(t)
	var panels []string
	for _, p := range readDashboard(t).Panels {
		panels = append(panels, p.Title)
	}
	lines := 0
	for _, name := range []string{"alerts.md", "operations.md"} {
		page := string(readFile(t, docs+name))
		for _, m := range regexp.MustCompile("(?:line|lines|lines `[^`]+` and) `([^`]+)`").FindAllStringSubmatch(page, -1) {
			lines++
			if !strings.Contains(code, `"`+m[1]) {
				t.Errorf("%s: no log line begins with %q", name, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`\*([A-Z][^*]+)\*`).FindAllStringSubmatch(page, -1) {
			if !slices.Contains(panels, m[1]) && !strings.Contains(page, "**"+m[1]+"**") {
				t.Errorf("%s: the dashboard has no panel %q", name, m[1])
			}
		}
	}
	if lines < 10 {
		t.Errorf("the pages name %d log lines", lines)
	}
}

// Every command of this program in the documents exists and has the flags that are given.
func TestCommandsInDocumentsParse(t *testing.T) {
	pages, err := filepath.Glob(docs + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range pages {
		for _, m := range documentedCommand.FindAllStringSubmatch(string(readFile(t, name)), -1) {
			found++
			var errs bytes.Buffer
			if code := run(t.Context(), append(exampleArgs(m[1]), "--help"), io.Discard, &errs); code != exitOK {
				t.Errorf("%s: mkio-bridge %s: exit code %d: %s", filepath.Base(name), m[1], code, &errs)
			}
		}
	}
	if found < 60 {
		t.Errorf("the documents have %d commands", found)
	}
}

// documentedCommand matches a command at the beginning of a line or code span, in a substitution, or after settings.
var documentedCommand = regexp.MustCompile("(?m)(?:^|`|\\$\\(|BRIDGE_[A-Z_]+=\\S+ )mkio-bridge ([^`#|>&)\n]+)")

var placeholder = regexp.MustCompile(`[…$\[\]]|^[A-Z]+$`)

// exampleArgs returns the arguments of a documented command, without placeholders, variables and the flags whose values they are.
func exampleArgs(command string) (args []string) {
	for word := range strings.FieldsSeq(strings.NewReplacer("'", "", `"`, "").Replace(command)) {
		switch last := len(args) - 1; {
		case !placeholder.MatchString(word):
			args = append(args, word)
		case last >= 0 && strings.HasPrefix(args[last], "-"):
			args = args[:last]
		}
	}
	return args
}
