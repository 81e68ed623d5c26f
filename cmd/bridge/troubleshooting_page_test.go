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

const troubleshootingPage = "../../docs/troubleshooting.md"

// Operators search the page for what they see, and type what it says: each quoted text is in the code, and each command,
// setting, metric and alert exists.
func TestTroubleshootingPage(t *testing.T) {
	page := string(readFile(t, troubleshootingPage))
	checkQuotedTexts(t, page)
	checkCommands(t, page)
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

// checkCommands checks that each command of this program that the page gives exists and has the flags.
func checkCommands(t *testing.T, page string) {
	t.Helper()
	commands := regexp.MustCompile("(?m)(?:^|`)mkio-bridge ([^`#|\n]+)").FindAllStringSubmatch(page, -1)
	if len(commands) < 20 {
		t.Errorf("the page gives %d commands", len(commands))
	}
	for _, m := range commands {
		var errs bytes.Buffer
		if code := run(t.Context(), append(strings.Fields(m[1]), "--help"), io.Discard, &errs); code != exitOK {
			t.Errorf("mkio-bridge %s: exit code %d: %s", m[1], code, &errs)
		}
	}
}
