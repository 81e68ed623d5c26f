//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// submitAndPublish returns the shell example of docs/reading.md that submits a job, waits for it and publishes.
func submitAndPublish(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(bridgetest.RepositoryPath("docs/reading.md"))
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(content), "```sh\n") {
		if script, _, ok := strings.Cut(block, "```"); ok && strings.Contains(script, "./submit") {
			return script
		}
	}
	t.Fatal("docs/reading.md has no example that runs ./submit")
	return ""
}

// lifeDelivery returns a delivery of a state of job ep-0417. Creation and last change of this life are at the given time.
func lifeDelivery(t *testing.T, life, state string, at time.Time) []byte {
	t.Helper()
	stamp := at.UTC().Format(time.RFC3339Nano)
	return bridgetest.JobDelivery(t, "ep-0417", state, func(delivery map[string]any) {
		delivery["id"], delivery["time"] = life+state, stamp
		delivery["data"].(map[string]any)["resource"] = map[string]any{
			"properties": map[string]any{"state": state, "created": stamp, "lastModified": stamp},
			"systemData": map[string]any{"internalId": life},
		}
	})
}

// The example of docs/reading.md works for a job name that was used before: it ignores the end of the previous life and waits for
// the submitted job. It needs GNU date, which has fractions of a second.
func TestSubmitWaitPublish(t *testing.T) {
	for state, published := range map[string]bool{"Finished": true, "Error": false} {
		t.Run(state, func(t *testing.T) {
			b := bridgetest.StartBridge(t)
			deliver := func(life, state string) {
				t.Helper()
				if status := b.Deliver(lifeDelivery(t, life, state, time.Now())); status != http.StatusNoContent {
					t.Fatalf("%s of %s: status %d", state, life, status)
				}
			}
			deliver("life-1", "Finished")
			dir := t.TempDir()
			for name, script := range map[string]string{
				"mkio-bridge": fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", bridgetest.Program(t, bridgetest.BridgePackage)),
				"submit":      "#!/bin/sh\ntouch submitted\n",
				"publish":     "#!/bin/sh\necho \"$1\" >published\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			shell, err := bridgetest.NewProcess(t.TempDir(), "shell", "sh", "-c", `cd "$0" && PATH=".:$PATH" && eval "$1"`, dir, submitAndPublish(t))
			if err != nil {
				t.Fatal(err)
			}
			defer shell.Close()
			shell.SetEnv(b.Env()...)
			if err := shell.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			has := func(name string) bool {
				_, err := os.Stat(filepath.Join(dir, name))
				return err == nil
			}
			bridgetest.Eventually(t, "the job is submitted", func() bool { return has("submitted") || !shell.Running() })
			deliver("life-2", "Processing")
			if has("published") {
				t.Error("the end of the previous life was published")
			}
			deliver("life-2", state)
			err = shell.Wait()
			if (err == nil) != published || has("published") != published || !strings.Contains(shell.Log.String(), "Processing → "+state) {
				t.Errorf("%v, published %t: %s", err, has("published"), shell.Log)
			}
		})
	}
}
