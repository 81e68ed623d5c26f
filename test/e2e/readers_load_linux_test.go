//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// A load posts deliveries of new jobs over several keep-alive connections.
type load struct {
	t      *testing.T
	to     *bridgetest.Bridge
	client http.Client
	padded string
	next   atomic.Int64
	failed atomic.Int64
}

const senders = 16

func newLoad(t *testing.T, to *bridgetest.Bridge, padding int) *load {
	t.Helper()
	return &load{
		t: t, to: to, padded: strings.Repeat("p", padding),
		client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: 10 * time.Second},
	}
}

// run posts deliveries while more returns true, given the number and the time since the start, and returns the acknowledged
// deliveries per second.
func (l *load) run(more func(count int64, since time.Duration) bool) float64 {
	l.t.Helper()
	var started, stored atomic.Int64
	began := time.Now()
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for more(started.Add(1), time.Since(began)) {
				if l.post() {
					stored.Add(1)
				} else {
					l.failed.Add(1)
				}
			}
		})
	}
	sending.Wait()
	return float64(stored.Load()) / time.Since(began).Seconds()
}

func (l *load) count(n int64) {
	l.t.Helper()
	l.run(func(count int64, _ time.Duration) bool { return count <= n })
}

func (l *load) during(d time.Duration) float64 {
	l.t.Helper()
	return l.run(func(_ int64, since time.Duration) bool { return since < d })
}

func (l *load) post() bool {
	name := fmt.Sprint("load-", l.next.Add(1))
	body := bridgetest.JobDelivery(l.t, name, "Processing", func(d map[string]any) {
		d["data"].(map[string]any)["resource"] = map[string]any{"name": name, "properties": map[string]any{"description": l.padded, "state": "Processing"}}
	})
	request, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.to.Webhook, bytes.NewReader(body))
	if err != nil {
		l.t.Error(err)
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Webhook-Secret", secret)
	response, err := l.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusNoContent
}

// peakMemory returns a process's peak resident memory in MiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("/proc has no VmHWM of the process")
	return 0
}
