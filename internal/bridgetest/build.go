// Package bridgetest runs the programs of this repository as processes, for tests: it builds them (build.go), starts, kills
// and stops them (process.go), stores their logs (log.go), and sends requests to a bridge as MK.IO, probes and operators do
// (bridge.go, delivery.go).
//
// [Process] is any program and needs no test, because cmd/torture uses it too. [Bridge] and [NATS] are the two programs that
// most end-to-end tests need; they take a [testing.TB], fail it, and end with it. [Eventually] waits for a condition that no
// event signals.
package bridgetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Packages of the programs that tests run.
const (
	BridgePackage = "mkio-bridge/cmd/bridge"
	NATSPackage   = "github.com/nats-io/nats-server/v2"
)

// builds are the programs that this process has built.
var builds struct {
	sync.Mutex
	dir   string
	paths map[string]string // by directory and package
}

// Build compiles a program once per process and returns its path. The package is resolved in the module of dir; "": this
// module. [Main] or [RemoveBuilds] removes the programs.
func Build(ctx context.Context, dir, pkg string) (string, error) {
	builds.Lock()
	defer builds.Unlock()
	key := dir + "\x00" + pkg
	if path, ok := builds.paths[key]; ok {
		return path, nil
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "mkio-bridge-test-")
		if err != nil {
			return "", err
		}
		builds.dir, builds.paths = dir, map[string]string{}
	}
	path := filepath.Join(builds.dir, fmt.Sprint(len(builds.paths), "-", programName(dir, pkg)))
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	command := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	builds.paths[key] = path
	return path, nil
}

func programName(dir, pkg string) string {
	return filepath.Base(filepath.Join(dir, strings.TrimSuffix(pkg, "/v2")))
}

// RemoveBuilds removes the programs that [Build] has built.
func RemoveBuilds() {
	builds.Lock()
	defer builds.Unlock()
	if builds.dir != "" {
		_ = os.RemoveAll(builds.dir)
	}
	builds.dir, builds.paths = "", nil
}

// Main runs the tests of a package that calls [Build], and removes the programs.
func Main(m *testing.M) {
	code := m.Run()
	RemoveBuilds()
	os.Exit(code)
}

// Program is [Build] of a package of this module, for a test.
func Program(t testing.TB, pkg string) string {
	t.Helper()
	path, err := Build(t.Context(), "", pkg)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
