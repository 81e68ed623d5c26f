package install

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The commands of a build from source, with the program that build has built by the first of them.
func TestBuildFromSource(t *testing.T) {
	_, block, _ := strings.Cut(read(t, root+"/docs/install.md"), "## Build from source\n")
	_, block, _ = strings.Cut(block, "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if lines[0] != "go build -o mkio-bridge "+bridgePackage || len(lines) < 2 {
		t.Fatalf("other commands: %q", lines)
	}
	for _, line := range lines[1:] {
		args, ok := strings.CutPrefix(line, "./mkio-bridge ")
		if !ok {
			t.Errorf("unknown command %q", line)
			continue
		}
		command := exec.CommandContext(t.Context(), build(t)[bridgeInImage], strings.Fields(args)...)
		command.Dir = t.TempDir()
		if output, err := command.CombinedOutput(); err != nil || len(output) == 0 {
			t.Errorf("%s: %v: %s", line, err, output)
		}
	}
}

// composeExec is a command of docs/install.md in a container of compose.yaml.
var composeExec = regexp.MustCompile(`(?m)^docker compose exec (\S+) /mkio-bridge ([^#\n]+)`)

// runCommandsOfThePage runs the commands of docs/install.md in the containers.
func runCommandsOfThePage(t *testing.T, all map[string][]*container) {
	t.Helper()
	found := composeExec.FindAllStringSubmatch(read(t, root+"/docs/install.md"), -1)
	if len(found) < 3 {
		t.Fatalf("docs/install.md has only %d commands for containers", len(found))
	}
	for _, match := range found {
		containers := all[match[1]]
		if len(containers) == 0 {
			t.Errorf("%s: no such service", match[0])
			continue
		}
		output, err := containers[0].exec(t.Context(), bridgeInImage, strings.Fields(match[2])...).CombinedOutput()
		if err != nil || len(output) == 0 {
			t.Errorf("%s: %v: %s", match[0], err, output)
		}
	}
}

// The names that the page uses for the systemd unit are those of the unit.
func TestPageNamesThePathsOfTheUnit(t *testing.T) {
	page, unit := read(t, root+"/docs/install.md"), read(t, systemdDir+"/mkio-bridge.service")
	for setting, path := range map[string]string{
		"ExecStart=/usr/bin/mkio-bridge run":                "/usr/bin/mkio-bridge",
		"EnvironmentFile=-/etc/mkio-bridge/mkio-bridge.env": "/etc/mkio-bridge/mkio-bridge.env",
		"LoadCredential=secret:/etc/mkio-bridge/secrets":    "/run/credentials/mkio-bridge.service/secret_",
		"StateDirectory=mkio-bridge":                        "/var/lib/private/mkio-bridge",
		"MemoryMax=512M":                                    "512 MiB",
		"RestartPreventExitStatus=2":                        "exit code 2",
		"DynamicUser=yes":                                   "DynamicUser",
	} {
		if !strings.Contains(unit, "\n"+setting) {
			t.Errorf("the unit does not have %s", setting)
		}
		if !strings.Contains(page, path) {
			t.Errorf("docs/install.md does not have %s", path)
		}
	}
}
