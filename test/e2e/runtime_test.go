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

// withoutVariable is the environment variable with the comma-separated runtimes that a machine lacks: node, python (with the
// packages of examples/consume-python/requirements.txt), nats, curl, jq, redpanda-connect. Tests that need one of them are skipped.
const withoutVariable = "E2E_WITHOUT"

// needs skips a test whose runtime is in [withoutVariable].
func needs(t *testing.T, runtime string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(withoutVariable), ","), runtime) {
		t.Skipf("%s names %s", withoutVariable, runtime)
	}
}

// missing ends a test whose runtime is not installed: it skips the test on a developer's machine and fails it in CI
// (CI=true), where a missing runtime must be in [withoutVariable].
func missing(t *testing.T, runtime, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing and not named in %s: %s", runtime, withoutVariable, why)
	}
	t.Skipf("%s is missing on this machine: %s", runtime, why)
}

// find returns the path of a runtime's program.
func find(t *testing.T, runtime, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, runtime, err.Error())
	}
	return path
}

// findOrBuild returns the path of an installed program, else builds it from a module of this repository.
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
