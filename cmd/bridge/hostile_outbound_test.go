package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/mkio/mkiofake"
)

// A tripwire is an address that nobody may call.
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
			t.Errorf("%s was called", l.Addr())
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// watchedAPI is a MK.IO that remembers what it was asked.
type watchedAPI struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	news  chan struct{}
}

func watchAPI(t *testing.T, api http.Handler) *watchedAPI {
	t.Helper()
	w := &watchedAPI{news: make(chan struct{}, 1)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/v1/projects") || slices.Contains(strings.Split(r.URL.Path, "/"), "..") || r.Header.Get("Authorization") != "Bearer "+demoToken {
			t.Errorf("MK.IO is asked %s %s with %q", r.Method, r.RequestURI, r.Header.Get("Authorization"))
		}
		w.mu.Lock()
		w.asked = append(w.asked, r.URL.Path)
		w.mu.Unlock()
		select {
		case w.news <- struct{}{}:
		default:
		}
		api.ServeHTTP(answer, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// await waits until an address was asked for.
func (w *watchedAPI) await(t *testing.T, path string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		w.mu.Lock()
		found := slices.Contains(w.asked, path)
		w.mu.Unlock()
		if found {
			return
		}
		select {
		case <-w.news:
		case <-timeout:
			t.Fatalf("MK.IO was never asked for %s", path)
		}
	}
}

// Whatever host a delivery names, BRIDGE_MKIO_URL alone is asked about it, and at the address that the name has there.
func TestADeliveryCannotHaveAnotherHostAsked(t *testing.T) {
	elsewhere := tripwire(t)
	api := watchAPI(t, mkiofake.New(mkiofake.Config{Token: demoToken, Projects: []string{mkiofake.VOD}, Start: demoStart.Add(10 * time.Hour)}))
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), secretEnv, "BRIDGE_MKIO_URL="+api.URL, "BRIDGE_MKIO_TOKEN="+demoToken,
		"BRIDGE_KINDS=job", "BRIDGE_POLL_ACTIVE=100ms")
	go p.drain()
	const jobs = "/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/"
	send := func(source, state string) int {
		body := jobDelivery(t, "x", state, func(d map[string]any) { d["source"], d["id"] = source, source+state })
		answer := sendRaw(t, p.addr(), rawDelivery("Connection: close\r\nWebHook-Request-Callback: http://"+elsewhere+"/\r\n", body))
		return statusOf(answer)
	}
	named := map[string]string{} // by source, what is asked for
	for i, format := range []string{"http://%s", "https://%s", "//%s", "ftp://%s", "http://me:pw@%s", "http://app.mk.io@%s", "http://%s/base", "http://%s:80", "HTTP://%s"} {
		name := fmt.Sprint("ep-", i)
		named[fmt.Sprintf(format, elsewhere)+jobs+name] = jobs + name
	}
	for _, name := range []string{"@" + elsewhere, "http:%5C%5C" + elsewhere, "%252e%252e%252f", `..%5C..%5Ca`} {
		named[jobs+name] = jobs + strings.NewReplacer("%5C", `\`, "%25", "%").Replace(name)
	}
	for source := range named {
		if first, second := send(source, "Finished"), send(source, "Canceled"); first != http.StatusNoContent || second != http.StatusAccepted {
			t.Errorf("%s: status %d, and of a conflict %d", source, first, second)
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
	for _, path := range named {
		api.await(t, path)
	}
	for _, source := range readLog(t, []string{"BRIDGE_NATS_LISTEN=" + p.nats}) {
		if !strings.HasPrefix(source, api.URL+jobs) {
			t.Errorf("an event is of %s", source)
		}
	}
	p.stop()
}

// An API that sends on to another host, or calls it the next page, does not get the token there.
func TestTheAPICannotHaveAnotherHostAsked(t *testing.T) {
	elsewhere := tripwire(t)
	api := watchAPI(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "jobs") {
			http.Redirect(w, r, "http://"+elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprintf(w, `{"value": [], "@odata.nextLink": "http://%s%s?$skiptoken=1"}`, elsewhere, r.URL.Path)
	}))
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), secretEnv, "BRIDGE_MKIO_URL="+api.URL, "BRIDGE_MKIO_TOKEN="+demoToken,
		"BRIDGE_PROJECTS=aurora-vod", "BRIDGE_KINDS=job,asset", "BRIDGE_WEBHOOK_URL=https://bridge.example")
	go p.drain()
	for _, path := range []string{"/media/jobs", "/media/assets", "/webhook/rules/mkio-bridge"} {
		api.await(t, "/api/v1/projects/aurora-vod"+path)
	}
	checkDelivers(t, p.addr(), jobDelivery(t, "meanwhile", "Finished", nil))
	p.stop()
	if said := strings.Join(p.said, "\n"); strings.Contains(said, demoToken) || !strings.Contains(said, elsewhere) {
		t.Errorf("the log says %s", said)
	}
}
