//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// A frontPageBlock says what shows that a block of commands of README.md works.
type frontPageBlock struct {
	last  string // command of the block
	shows string // line of output, in part
	times int    // how often
	stays bool   // the last command runs on; else the block must succeed
}

// frontPageBlocks are the blocks of commands of README.md, in its order.
var frontPageBlocks = []frontPageBlock{
	{last: "go run ./cmd/bridge demo --console", shows: "/console/", times: 1, stays: true},
	{last: "go run ./cmd/bridge demo", shows: "nothing went back", times: 1},
	{last: "go run ./cmd/bridge run", shows: `"for":"nats"`, times: 1, stays: true},
	{last: "go run ./cmd/bridge state", shows: "Finished", times: 3}, // events, events as JSON, state
	{last: "go run ./cmd/bridge mkio-fake --speed 600", shows: "listening", times: 1, stays: true},
	{last: "go run ./cmd/bridge run", shows: "webhook rule updated", times: 2, stays: true},
	{last: "go run ./cmd/bridge events --follow", shows: "[webhook]", times: 1, stays: true},
	{last: "go test ./...", shows: "mkio-bridge/internal/lifecycle", times: 1},
}

// frontPageCommands returns the blocks of commands of README.md.
func frontPageCommands(t *testing.T) (blocks []string) {
	t.Helper()
	content, err := os.ReadFile(bridgetest.RepositoryPath("README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(content), "```sh\n")
	for found {
		var block string
		block, rest, _ = strings.Cut(rest, "```")
		blocks = append(blocks, block)
		_, rest, found = strings.Cut(rest, "```sh\n")
	}
	return blocks
}

// goCommand stands for the go command. It runs the built program in place of "go run", which would compile it again for the
// fresh folder. Of "go test ./..." it lists the packages only: that is what .ci/run runs.
const goCommand = `#!/bin/sh
case "$1 $2" in
"run ./cmd/bridge") shift 2; exec %[1]q "$@" ;;
"build -o") exec %[2]q -C %[3]q build -o "$PWD/$3" "$4" ;;
"test ./...") exec %[2]q -C %[3]q list ./... ;;
esac
echo "no stand-in for: go $*" >&2
exit 2
`

// frontPageFolder returns a fresh folder with what the commands of README.md find in a clone, and a PATH on which go is
// [goCommand].
func frontPageFolder(t *testing.T, program string) (dir, path string) {
	t.Helper()
	compiler, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	settings, err := os.ReadFile(bridgetest.RepositoryPath("examples/simulation.env"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "examples"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "examples", "simulation.env"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(goCommand, program, compiler, bridgetest.RepositoryPath(""))
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, "PATH=" + bin + ":" + os.Getenv("PATH")
}

// All commands of README.md work in its order, in a fresh folder, each block in a terminal of its own.
func TestFrontPage(t *testing.T) {
	t.Parallel()
	program := os.Getenv(inNamespace)
	if program == "" {
		program = bridgetest.Program(t, bridgetest.BridgePackage)
		if repeatInNamespace(t, program) {
			return
		}
	} else if err := setUpLoopback(); err != nil {
		t.Fatal(err)
	}
	blocks := frontPageCommands(t)
	if len(blocks) != len(frontPageBlocks) {
		t.Fatalf("README.md has %d blocks of commands, this test has %d", len(blocks), len(frontPageBlocks))
	}
	dir, path := frontPageFolder(t, program)
	var terminals []*bridgetest.Process
	for i, commands := range blocks {
		terminal := newExample(t, fmt.Sprint("block-", i+1), []string{"sh", "-e", "-c", commands}, path, "TMPDIR="+dir) // the demo's store is there
		terminal.Dir, terminal.Group = dir, true
		frontPageBlocks[i].run(t, terminal, commands)
		terminals = append(terminals, terminal)
	}
	for i, terminal := range terminals {
		if frontPageBlocks[i].stays && !terminal.Running() {
			t.Errorf("block %d ended before the last block", i+1)
		}
	}
	for _, name := range []string{"data", "data-sim", "mkio-bridge"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// run runs the commands of the block in a terminal until their output shows that they work.
func (b frontPageBlock) run(t *testing.T, terminal *bridgetest.Process, commands string) {
	t.Helper()
	if lines := strings.Split(strings.TrimSpace(commands), "\n"); lines[len(lines)-1] != b.last {
		t.Fatalf("the last command of a block is %q, not %q", lines[len(lines)-1], b.last)
	}
	if err := terminal.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !b.stays {
		if err := terminal.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	shown := 0
	if err := terminal.AwaitLine(t.Context(), func(line string) bool {
		if strings.Contains(line, b.shows) {
			shown++
		}
		return shown == b.times
	}); err != nil {
		t.Fatalf("%s does not show %q %d times: %v\n%s", b.last, b.shows, b.times, err, terminal.Log)
	}
}

// .ci/run runs the command with which README.md tests.
func TestFrontPageTestsAsTheChecksDo(t *testing.T) {
	content, err := os.ReadFile(bridgetest.RepositoryPath(".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte("step 'unit tests' go test ./...")) {
		t.Error(".ci/run does not run go test ./...")
	}
}
