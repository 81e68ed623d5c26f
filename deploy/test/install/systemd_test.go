package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const systemdDir = root + "/deploy/systemd"

// installedProgram is the program's path in the unit.
const installedProgram = "/usr/bin/mkio-bridge"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// systemdAnalyze runs systemd-analyze for the unit, with a program that exists here.
func systemdAnalyze(t *testing.T, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze: Debian's package systemd has it")
	}
	unit := read(t, systemdDir+"/mkio-bridge.service")
	path := filepath.Join(t.TempDir(), "mkio-bridge.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(unit, installedProgram, build(t)[bridgeInImage])), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), program, append(args, path)...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v", strings.Join(args, " "), err)
	}
	return string(output)
}

func TestUnitIsValid(t *testing.T) {
	if output := systemdAnalyze(t, "verify", "--man=no"); strings.Contains(output, "mkio-bridge.service") {
		t.Errorf("systemd-analyze verify:\n%s", output) // unknown settings are warnings
	}
}

// docs/install.md quotes the exposure of systemd 252; other versions count other settings.
func TestExposureOfTheUnit(t *testing.T) {
	output := systemdAnalyze(t, "security", "--offline=true", "--no-pager")
	match := regexp.MustCompile(`Overall exposure level .*: (\d+\.\d)`).FindStringSubmatch(output)
	if match == nil {
		t.Skipf("this version of systemd-analyze rates no files:\n%s", output)
	}
	if exposure, err := strconv.ParseFloat(match[1], 64); err != nil || exposure > 1.5 {
		t.Errorf("systemd-analyze security rates the exposure %s:\n%s", match[1], output)
	}
}

// The example settings, all uncommented and with secrets in place, are accepted.
func TestSettingsOfTheUnit(t *testing.T) {
	secrets := t.TempDir()
	const credentials = "/run/credentials/mkio-bridge.service/secret_" // where LoadCredential=secret: puts the files
	command := exec.CommandContext(t.Context(), build(t)[bridgeInImage], "config")
	for line := range strings.Lines(read(t, systemdDir+"/mkio-bridge.env")) {
		name, value, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "#")), "=")
		if !ok || !strings.HasPrefix(name, "BRIDGE_") {
			continue
		}
		if file, ok := strings.CutPrefix(value, credentials); ok {
			value = filepath.Join(secrets, file)
			if err := os.WriteFile(value, []byte(file+strings.Repeat("a1b2", 8)), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if strings.Contains(value, "/run/") {
			t.Errorf("%s=%s is not in %s", name, value, credentials)
		}
		command.Env = append(command.Env, name+"="+value)
	}
	if len(command.Env) < 5 {
		t.Fatalf("the example sets only %v", command.Env)
	}
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}
