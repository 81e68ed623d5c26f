//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/mkio/mkiofake"
)

// tripwire returns an address and fails the test when anything connects to it.
func tripwire(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("unexpected connection to %s", l.Addr())
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// A recordingAPI is a MK.IO that records the requested paths.
type recordingAPI struct {
	*httptest.Server
	mu    sync.Mutex
	paths []string
}

func newRecordingAPI(t *testing.T, api http.Handler) *recordingAPI {
	t.Helper()
	w := &recordingAPI{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/v1/projects") || slices.Contains(strings.Split(r.URL.Path, "/"), "..") || r.Header.Get("Authorization") != "Bearer "+token {
			t.Errorf("unexpected request %s %s with %q", r.Method, r.RequestURI, r.Header.Get("Authorization"))
		}
		w.mu.Lock()
		w.paths = append(w.paths, r.URL.Path)
		w.mu.Unlock()
		api.ServeHTTP(response, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// await waits until a path is requested.
func (w *recordingAPI) await(t *testing.T, path string) {
	t.Helper()
	bridgetest.Eventually(t, "a request for "+path, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Contains(w.paths, path)
	})
}

// Whatever host a delivery's source names, the bridge sends its requests to BRIDGE_MKIO_URL only, at the resource's path
// there.
func TestDeliveryCannotRedirectAPIRequests(t *testing.T) {
	elsewhere := tripwire(t)
	api := newRecordingAPI(t, mkiofake.New(mkiofake.Config{Token: token, Projects: []string{mkiofake.VOD}, Start: time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)}))
	p := bridgetest.StartBridge(t, secretEnv, "BRIDGE_MKIO_URL="+api.URL, "BRIDGE_MKIO_TOKEN="+token,
		"BRIDGE_KINDS=job", "BRIDGE_POLL_ACTIVE=100ms")
	const jobs = "/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/"
	send := func(source, state string) int {
		body := bridgetest.JobDelivery(t, "x", state, func(d map[string]any) { d["source"], d["id"] = source, source+state })
		response := bridgetest.SendRaw(t, p.WebhookAddr(), bridgetest.RawDelivery(secret, "Connection: close\r\nWebHook-Request-Callback: http://"+elsewhere+"/\r\n", body))
		return bridgetest.StatusOf(response)
	}
	paths := map[string]string{} // by source, the path to request
	for i, format := range []string{"http://%s", "https://%s", "//%s", "ftp://%s", "http://me:pw@%s", "http://app.mk.io@%s", "http://%s/base", "http://%s:80", "HTTP://%s"} {
		name := fmt.Sprint("ep-", i)
		paths[fmt.Sprintf(format, elsewhere)+jobs+name] = jobs + name
	}
	for _, name := range []string{"@" + elsewhere, "http:%5C%5C" + elsewhere, "%252e%252e%252f", `..%5C..%5Ca`} {
		paths[jobs+name] = jobs + strings.NewReplacer("%5C", `\`, "%25", "%").Replace(name)
	}
	for source := range paths {
		if first, second := send(source, "Finished"), send(source, "Canceled"); first != http.StatusNoContent || second != http.StatusAccepted {
			t.Errorf("%s: status %d, and %d for a conflict", source, first, second)
		}
	}
	for _, source := range []string{
		"http://" + elsewhere + "/", "http://" + elsewhere, "http://" + elsewhere + "/a/.." + jobs + "x", "http://" + elsewhere + jobs + "..", jobs + "..%2f..%2fassets%2fa",
		"/api/v1/projects/..%2f..%2f/media/assets/a", "/api/v1/projects/http:%2f%2f" + elsewhere + "/media/assets/a", "/api/v1/projects/%2e%2e/media/assets/a",
	} {
		if status := send(source, "Processing"); status != http.StatusAccepted {
			t.Errorf("%s: status %d", source, status)
		}
	}
	for _, path := range paths {
		api.await(t, path)
	}
	for _, source := range readLog(t, p.Env()) {
		if !strings.HasPrefix(source, api.URL+jobs) {
			t.Errorf("an event has the source %s", source)
		}
	}
	p.StopGracefully()
}

// The bridge does not send its token to a host that MK.IO redirects to or names in a link to the next page: it refuses
// redirects, and uses only the query of the link.
func TestAPICannotRedirectRequestsToAnotherHost(t *testing.T) {
	t.Parallel()
	elsewhere := tripwire(t)
	var secondPage atomic.Bool // requested from this server
	api := newRecordingAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasSuffix(r.URL.Path, "jobs"):
			http.Redirect(w, r, "http://"+elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
		case r.URL.Query().Get("$skiptoken") == "1":
			secondPage.Store(true)
			fmt.Fprint(w, `{"value": []}`)
		default:
			fmt.Fprintf(w, `{"value": [{"name": "ep-1", "id": "/transforms/t/jobs/ep-1", "properties": {"state": "Finished"}}], "@odata.nextLink": "http://%s%s?$skiptoken=1"}`, elsewhere, r.URL.Path)
		}
	}))
	p := bridgetest.StartBridge(t, secretEnv, "BRIDGE_MKIO_URL="+api.URL, "BRIDGE_MKIO_TOKEN="+token,
		"BRIDGE_PROJECTS=aurora-vod", "BRIDGE_KINDS=job,asset", "BRIDGE_WEBHOOK_URL=https://bridge.example")
	for _, path := range []string{"/media/jobs", "/media/assets", "/webhook/rules/mkio-bridge"} {
		api.await(t, "/api/v1/projects/aurora-vod"+path)
	}
	bridgetest.Eventually(t, "a request for the next page at the API's own address", secondPage.Load)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "meanwhile", "Finished", nil))
	p.StopGracefully()
	if log := p.Log.String(); strings.Contains(log, token) || !strings.Contains(log, "307 Temporary Redirect") {
		t.Errorf("the bridge logged: %s", log)
	}
}
