//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// The bridge ends an answer that takes longer than answerTime to write, but not a profile that was asked for that long.
func TestAProfileIsNotCutShort(t *testing.T) {
	t.Parallel()
	const answerTime = 30 * time.Second
	b := bridgetest.StartBridge(t, secretEnv, "BRIDGE_PPROF=true")
	check := func(target string) {
		response, err := http.Get("http://" + b.Admin + "/debug/pprof/" + target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: status %d, %d bytes, %v", target, response.StatusCode, len(body), err)
		}
	}
	var asking sync.WaitGroup
	for _, name := range []string{"profile", "trace"} {
		asking.Go(func() { check(fmt.Sprintf("%s?seconds=%.0f", name, (answerTime + time.Second).Seconds())) })
	}
	for _, name := range []string{"", "goroutine?debug=1", "allocs", "heap?gc=1"} {
		check(name)
	}
	asking.Wait()
}
