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

// Responses of the admin listener have a write timeout, except profiles that take longer by request.
func TestProfileOutlastsWriteTimeout(t *testing.T) {
	t.Parallel()
	const writeTimeout = 30 * time.Second
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
	var requests sync.WaitGroup
	for _, name := range []string{"profile", "trace"} {
		requests.Go(func() { check(fmt.Sprintf("%s?seconds=%.0f", name, (writeTimeout + time.Second).Seconds())) })
	}
	for _, name := range []string{"", "goroutine?debug=1", "allocs", "heap?gc=1"} {
		check(name)
	}
	requests.Wait()
}
