//go:build e2e && unix

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// failedWrites counts the events that the bridge tried to write and that were not acknowledged.
const failedWrites = `mkio_bridge_publishes_total{kind="job",result="failed",via="webhook"}`

// refused says whether a delivery was refused and is to come again.
func refused(a bridgetest.Response) bool {
	return (a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests) && a.RetryAfter != ""
}

// A NATS server stays connected and does not answer. The bridge refuses deliveries while that lasts: once it has noticed it
// tries no write for them, and nothing piles up. It goes on when the server does.
func TestASilentNATSIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATS(t, "")
	env := []string{"BRIDGE_NATS_URL=" + server.URL}
	b := bridgetest.StartBridge(t, env...)
	mustDeliver(t, b, jobStarted(t, "before"))
	quiet := b.Metric("go_goroutines")
	server.Freeze()

	const senders, each = 100, 8
	var (
		mu      sync.Mutex
		answers []bridgetest.Response
		wg      sync.WaitGroup
	)
	for sender := range senders {
		wg.Go(func() {
			for n := range each {
				answer, err := b.Post(jobStarted(t, fmt.Sprint("ep-", sender, "-", n)))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				answers = append(answers, answer)
				mu.Unlock()
			}
		})
	}
	answered := make(chan struct{})
	go func() { wg.Wait(); close(answered) }()
	var most float64
	for flooding := true; flooding; {
		select {
		case <-answered: // all of them, though the server is still frozen
			flooding = false
		case <-time.After(100 * time.Millisecond):
		}
		most = max(most, b.Metric("go_goroutines"))
	}
	for _, answer := range answers {
		if !refused(answer) {
			t.Errorf("answered %+v", answer)
			break
		}
	}
	tried := b.Metric(failedWrites)
	if tried == 0 || tried > 2*senders { // by those who came before the bridge had noticed
		t.Errorf("%v writes were tried for %d deliveries", tried, len(answers))
	}
	if most > quiet+10*senders { // a connection has a few of its own
		t.Errorf("%v goroutines, %v before", most, quiet)
	}
	if status, why := b.Readiness(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d: %s", status, why)
	}
	if v := b.Metric("mkio_bridge_store_unavailable"); v != 1 {
		t.Errorf("mkio_bridge_store_unavailable is %v while the server is frozen", v)
	}
	for n := range each {
		if answer, err := b.Post(jobStarted(t, fmt.Sprint("late-", n))); err != nil || !refused(answer) {
			t.Errorf("a delivery to a bridge that has noticed is answered %+v, %v", answer, err)
		}
	}
	if again := b.Metric(failedWrites); again != tried {
		t.Errorf("%v writes were tried after the bridge had noticed", again-tried)
	}

	server.Thaw()
	b.AwaitReadiness(http.StatusOK)
	if status := b.Deliver(jobStarted(t, "ep-0-0")); status != http.StatusNoContent {
		t.Errorf("status %d afterwards", status)
	}
	if log := readLog(t, env); !hasJob(log, "before") || !hasJob(log, "ep-0-0") {
		t.Errorf("what was acknowledged is not in the log of %d events", len(log))
	}
	if v := b.Metric("mkio_bridge_store_unavailable"); v != 0 {
		t.Errorf("mkio_bridge_store_unavailable is %v", v)
	}
	b.StopGracefully()
}

// A bridge whose user may no longer publish to the log, or whose password was changed, is not ready. What is put right is
// used without a restart.
func TestRightsThatAreTakenAwayAreNoticed(t *testing.T) {
	t.Parallel()
	settings := func(password, denied string) string {
		return fmt.Sprintf(`authorization { users: [ {user: me, password: %q, permissions: {publish: {deny: [%s]}, subscribe: ">"}}, {user: other, password: other} ] }`, password, denied)
	}
	server := bridgetest.StartNATS(t, settings("hunter2", ""))
	reload := func(password, denied string) {
		t.Helper()
		server.Configure(settings(password, denied))
		server.Reload()
	}
	password := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(password, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2")
	b := bridgetest.StartBridge(t, "BRIDGE_NATS_URL="+server.URL, "BRIDGE_NATS_USER=me", "BRIDGE_NATS_PASSWORD_FILE="+password)
	b.AwaitReadiness(http.StatusOK)

	reload("hunter2", `"mkio.>"`)
	if why := b.AwaitReadiness(http.StatusServiceUnavailable); strings.Contains(why, "hunter") {
		t.Errorf("a secret is shown: %s", why)
	}
	b.AwaitReadiness(http.StatusServiceUnavailable) // the first may have been that the server had disconnected it for a moment
	if answer, err := b.Post(jobStarted(t, "ep-1")); err != nil || answer.Status != http.StatusServiceUnavailable || answer.RetryAfter == "" {
		t.Errorf("without the right to publish: %+v, %v", answer, err)
	}
	reload("hunter2", "")
	b.AwaitReadiness(http.StatusOK)

	reload("hunter3", "")
	b.AwaitReadiness(http.StatusServiceUnavailable)
	if answer, err := b.Post(jobStarted(t, "ep-1")); err != nil || answer.Status != http.StatusServiceUnavailable || answer.RetryAfter == "" {
		t.Errorf("with a password that was changed: %+v, %v", answer, err)
	}
	write("hunter3") // only now: the delivery did not wait for it
	b.AwaitReadiness(http.StatusOK)
	if status := b.Deliver(jobStarted(t, "ep-1")); status != http.StatusNoContent {
		t.Errorf("status %d afterwards", status)
	}
	b.StopGracefully()
}
