package install

import (
	"regexp"
	"strings"
	"testing"
)

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
		"ExecStart=/usr/bin/mkio-bridge ":                   "/usr/bin/mkio-bridge",
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
