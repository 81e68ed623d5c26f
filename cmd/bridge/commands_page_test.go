package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const commandsPage = "../../docs/commands.md"

// docs/commands.md is generated from the commands between <!-- commands --> and <!-- /commands -->.
func TestCommandsPageIsGenerated(t *testing.T) {
	text := string(readFile(t, commandsPage))
	const begin, end = "<!-- commands -->\n", "<!-- /commands -->"
	before, rest, ok := strings.Cut(text, begin)
	is, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/commands.md has no section %s…%s", begin, end)
	}
	want := commandSections()
	if *update {
		if err := os.WriteFile(commandsPage, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if is != want {
		t.Error("docs/commands.md is out of date: run go test ./cmd/bridge -run CommandsPage -update")
	}
}

// commandSections returns a table of the commands, and a section for each.
func commandSections() string {
	var table, sections strings.Builder
	table.WriteString("## All commands\n\n| command | does |\n|---|---|\n")
	root := newRoot(&call{})
	section := func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		fmt.Fprintf(&table, "| [`%s`](#%s) | %s |\n", path, strings.ReplaceAll(path, " ", "-"), cmd.Short)
		sections.WriteString(commandSection(cmd))
	}
	var add func(parent *cobra.Command)
	add = func(parent *cobra.Command) {
		for _, cmd := range parent.Commands() {
			if !cmd.IsAvailableCommand() && cmd.Name() != "help" {
				continue
			}
			if cmd.HasSubCommands() && cmd.Name() != "completion" { // whose subcommands describe shells
				if cmd.Example != "" { // it does something itself
					section(cmd)
				}
				add(cmd)
				continue
			}
			section(cmd)
		}
	}
	add(root)
	return table.String() + sections.String()
}

// commandSection returns the section of a command.
func commandSection(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## `%s`\n\n", cmd.CommandPath())
	summary, details, _ := strings.Cut(cmd.Long, "\n\n")
	if !strings.HasPrefix(summary, cmd.Short) { // cobra's own text
		summary, details = cmd.Short, ""
	}
	fmt.Fprintf(&b, "%s%s.\n", strings.ToUpper(summary[:1]), summary[1:])
	if details != "" {
		fmt.Fprintf(&b, "\n%s\n", details)
	}
	fmt.Fprintf(&b, "\n```\n%s\n```\n", cmd.UseLine())
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(&b, "\n```\n%s```\n", flags.FlagUsages())
	}
	fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(cmd.Example), "\n  ", "\n"))
	return b.String()
}

// There is a man page for the program and for each command, and the same version gives the same pages.
func TestManPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1930000000")
	write := func() string {
		dir := filepath.Join(t.TempDir(), "man1")
		if out, errs, code := runCommand(t, "man", dir); code != exitOK || out+errs != "" {
			t.Fatalf("exit %d: %s%s", code, out, errs)
		}
		return dir
	}
	dir, again := write(), write()
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("pages are %v: %v", pages, err)
	}
	for _, name := range []string{"mkio-bridge.1", "mkio-bridge-events.1", "mkio-bridge-webhook-register.1", "mkio-bridge-mkio-fake.1"} {
		page := readFile(t, filepath.Join(dir, name))
		if !bytes.HasPrefix(page, []byte(".nh\n.TH ")) || !bytes.Contains(page, []byte(".SH EXAMPLE")) || bytes.Contains(page, []byte("cobra")) {
			t.Errorf("%s is %s", name, page)
		}
		if !bytes.Equal(page, readFile(t, filepath.Join(again, name))) {
			t.Errorf("%s differs when it is written again", name)
		}
	}
	wantOutput(t, exitUsage, []string{"accepts 1 arg"}, "man")
	wantOutput(t, exitFailed, []string{"cannot be written"}, "man", commandsPage)
}
