//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// withoutVariable names the runtimes that a machine is known to lack, comma-separated: node, python (with the packages of
// examples/consume-python/requirements.txt), nats, redpanda-connect. Tests that need one of them are skipped.
const withoutVariable = "E2E_WITHOUT"

// needs skips a test whose runtime the machine is known to lack.
func needs(t *testing.T, runtime string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(withoutVariable), ","), runtime) {
		t.Skipf("%s names %s", withoutVariable, runtime)
	}
}

// missing ends a test whose runtime is not on the machine. It skips the test on a developer's machine; in CI, where CI is
// true, it fails it: CI has what it needs, or says what it lacks.
func missing(t *testing.T, runtime, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and %s does not name it: %s", runtime, withoutVariable, why)
	}
	t.Skipf("%s is missing on this machine: %s", runtime, why)
}

// find returns the path of a program of a runtime.
func find(t *testing.T, runtime, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, runtime, err.Error())
	}
	return path
}

// findOrBuild returns the path of a program that is installed, or else of one that is built from a module of this
// repository.
func findOrBuild(t *testing.T, program, module, pkg string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	path, err := bridgetest.Build(t.Context(), bridgetest.RepositoryPath(module), pkg)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
