//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// npmInstall copies files of a directory of the repository to a new one, and installs their packages there.
func npmInstall(t *testing.T, source string, files ...string) (dir string) {
	t.Helper()
	npm := find(t, "node", "npm")
	dir = t.TempDir() // so that npm installs outside the source
	for _, name := range append(files, "package.json", ".npmrc") {
		content, err := os.ReadFile(bridgetest.RepositoryPath(filepath.Join(source, name)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runIn(t, dir, npm, "install", "--ignore-scripts", "--no-audit", "--no-fund")
	if _, err := os.Stat(filepath.Join(dir, "package-lock.json")); err == nil {
		t.Error("npm wrote a lock file")
	}
	return dir
}

// runIn runs a program in a directory, and returns its output. The test fails if the program does.
func runIn(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}
