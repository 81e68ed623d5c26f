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

// failedWrites is the metric of writes that JetStream did not acknowledge.
const failedWrites = `mkio_bridge_publishes_total{kind="job",result="failed",via="webhook"}`

// refused reports whether a response asks the sender to retry.
func refused(a bridgetest.Response) bool {
	return (a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests) && a.RetryAfter != ""
}

// A frozen NATS server stays connected and does not respond. The bridge refuses deliveries: once the circuit breaker is open
// it attempts no writes for them, and no requests pile up. It accepts deliveries again when the server responds.
func TestFrozenNATSFailsDeliveriesFast(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATS(t, "")
	env := []string{"BRIDGE_NATS_URL=" + server.URL}
	b := bridgetest.StartBridge(t, env...)
	mustDeliver(t, b, jobStarted(t, "before"))
	idle := b.Metric("go_goroutines")
	server.Freeze()

	const senders, each = 100, 8
	var (
		mu        sync.Mutex
		responses []bridgetest.Response
		wg        sync.WaitGroup
	)
	for sender := range senders {
		wg.Go(func() {
			for n := range each {
				response, err := b.Post(jobStarted(t, fmt.Sprint("ep-", sender, "-", n)))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				responses = append(responses, response)
				mu.Unlock()
			}
		})
	}
	answered := make(chan struct{})
	go func() { wg.Wait(); close(answered) }()
	var most float64
	for flooding := true; flooding; {
		select {
		case <-answered: // the server is still frozen
			flooding = false
		case <-time.After(100 * time.Millisecond):
		}
		most = max(most, b.Metric("go_goroutines"))
	}
	for _, response := range responses {
		if !refused(response) {
			t.Errorf("response %+v", response)
			break
		}
	}
	attempted := b.Metric(failedWrites)
	if attempted == 0 || attempted > 2*senders { // before the circuit breaker opened
		t.Errorf("%v writes were attempted for %d deliveries", attempted, len(responses))
	}
	if most > idle+10*senders { // a few per connection
		t.Errorf("%v goroutines, %v before", most, idle)
	}
	if status, why := b.Readiness(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d: %s", status, why)
	}
	if v := b.Metric("mkio_bridge_store_unavailable"); v != 1 {
		t.Errorf("mkio_bridge_store_unavailable is %v while the server is frozen", v)
	}
	for n := range each {
		if response, err := b.Post(jobStarted(t, fmt.Sprint("late-", n))); err != nil || !refused(response) {
			t.Errorf("a delivery while the circuit breaker is open: %+v, %v", response, err)
		}
	}
	if again := b.Metric(failedWrites); again != attempted {
		t.Errorf("%v writes were attempted while the circuit breaker was open", again-attempted)
	}

	server.Thaw()
	b.AwaitReadiness(http.StatusOK)
	if status := b.Deliver(jobStarted(t, "ep-0-0")); status != http.StatusNoContent {
		t.Errorf("status %d after the outage", status)
	}
	if log := readLog(t, env); !hasJob(log, "before") || !hasJob(log, "ep-0-0") {
		t.Errorf("acknowledged deliveries are missing from the log of %d events", len(log))
	}
	if v := b.Metric("mkio_bridge_store_unavailable"); v != 0 {
		t.Errorf("mkio_bridge_store_unavailable is %v", v)
	}
	b.StopGracefully()
}

// A bridge is not ready when its user may no longer publish to the log or its password was changed. It recovers without a
// restart.
func TestRevokedPermissionsMakeBridgeNotReady(t *testing.T) {
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
		t.Errorf("/readyz exposes a secret: %s", why)
	}
	b.AwaitReadiness(http.StatusServiceUnavailable) // the first 503 may be the reload's disconnect
	if response, err := b.Post(jobStarted(t, "ep-1")); err != nil || response.Status != http.StatusServiceUnavailable || response.RetryAfter == "" {
		t.Errorf("without permission to publish: %+v, %v", response, err)
	}
	reload("hunter2", "")
	b.AwaitReadiness(http.StatusOK)

	reload("hunter3", "")
	b.AwaitReadiness(http.StatusServiceUnavailable)
	if response, err := b.Post(jobStarted(t, "ep-1")); err != nil || response.Status != http.StatusServiceUnavailable || response.RetryAfter == "" {
		t.Errorf("with a changed password: %+v, %v", response, err)
	}
	write("hunter3") // only now: the delivery above must not wait for it
	b.AwaitReadiness(http.StatusOK)
	if status := b.Deliver(jobStarted(t, "ep-1")); status != http.StatusNoContent {
		t.Errorf("status %d after the outage", status)
	}
	b.StopGracefully()
}
