package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const mkioPage = "../../docs/mkio.md"

// Each statement of docs/mkio.md has a source and a confidence, and each open question an advice. Settings, metrics, alerts
// and commands that the page names exist.
func TestMkioPage(t *testing.T) {
	page := string(readFile(t, mkioPage))
	statements, questions := 0, 0
	for _, row := range tableRows(page) {
		switch row.heading {
		case "the bridge relies on":
			statements++
			for word := range strings.SplitSeq(row.cells[2], "; ") {
				if !slices.Contains([]string{"documented", "inferred", "assumed"}, word) {
					t.Errorf("%q has the confidence %q", row.cells[0], word)
				}
			}
			if assumed := row.cells[2] == "assumed"; row.cells[1] == "" || row.cells[1] == "–" && !assumed {
				t.Errorf("%q has no source", row.cells[0])
			}
		case "question":
			questions++
			if slices.Contains(row.cells, "") || !strings.HasSuffix(row.cells[0], "?") {
				t.Errorf("open question without advice: %q", row.cells)
			}
		}
	}
	if statements < 30 || questions < 15 {
		t.Errorf("%d statements and %d questions", statements, questions)
	}
	known := string(readFile(t, readme)) + string(readFile(t, alertsManual))
	names := regexp.MustCompile("BRIDGE_[A-Z_]+[A-Z]|mkio_bridge_[a-z_]+|MkioBridge[A-Za-z]+|`bridge [a-z]+")
	for _, name := range names.FindAllString(page, -1) {
		if !strings.Contains(known, name) {
			t.Errorf("README.md and docs/alerts.md do not have %s", name)
		}
	}
}

// A tableRow is a row of a Markdown table; heading is that of the table's first column.
type tableRow struct {
	heading string
	cells   []string
}

// tableRows returns the rows of all tables of a page, without their headings.
func tableRows(page string) (rows []tableRow) {
	heading := ""
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			heading = ""
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case heading == "":
			heading = cells[0]
		case !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, tableRow{heading, cells})
		}
	}
	return rows
}
