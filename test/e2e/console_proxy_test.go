//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

const viewerToken = "7d1c5b9e3f2a4c60-viewer"

// basePath is where the proxy serves the bridges. It removes the path from the requests.
const basePath = "/mkio-bridge"

// A sharedAddress is a reverse proxy in front of bridges: it sends a request to the first bridge that can be reached.
type sharedAddress struct {
	*httptest.Server
	bridges atomic.Pointer[[]*bridgetest.Bridge] // in the order of preference
}

func newSharedAddress(t *testing.T, bridges ...*bridgetest.Bridge) *sharedAddress {
	t.Helper()
	s := &sharedAddress{}
	s.prefer(bridges...)
	proxy := &httputil.ReverseProxy{Transport: s, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.Host = r.In.Host // the session's cookie is of the address that the browser uses
		r.SetXForwarded()
	}}
	s.Server = httptest.NewServer(http.StripPrefix(basePath, proxy))
	t.Cleanup(s.Close)
	return s
}

func (s *sharedAddress) prefer(bridges ...*bridgetest.Bridge) { s.bridges.Store(&bridges) }

// RoundTrip implements [http.RoundTripper].
func (s *sharedAddress) RoundTrip(r *http.Request) (response *http.Response, err error) {
	for _, b := range *s.bridges.Load() {
		next := r.Clone(r.Context())
		next.URL.Scheme, next.URL.Host = "http", b.Admin
		if response, err = http.DefaultTransport.RoundTrip(next); err == nil {
			return response, nil
		}
	}
	return nil, err
}

// request makes a request below the base path.
func (s *sharedAddress) request(t *testing.T, client *http.Client, method, path string, header ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+basePath+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// status returns the status of the response to a request.
func (s *sharedAddress) status(t *testing.T, client *http.Client, method, path string, header ...string) int {
	t.Helper()
	response := s.request(t, client, method, path, header...)
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response.StatusCode
}

// Two bridges behind one address, below a base path: a session that one began is valid at the other, and an event stream that
// ends when one stops continues at the other after the last event, without a gap or a repeat.
func TestTwoBridgesBehindOneAddress(t *testing.T) {
	t.Parallel()
	env := []string{secretEnv, "BRIDGE_NATS_URL=" + bridgetest.StartNATS(t, "").URL, "BRIDGE_VIEWER_TOKEN=" + viewerToken}
	first, second := bridgetest.StartBridge(t, env...), bridgetest.StartBridge(t, env...)
	address := newSharedAddress(t, first, second)
	client := signIn(t, address)

	address.prefer(second, first)
	if status := address.status(t, client, http.MethodGet, "/v1/status"); status != http.StatusOK {
		t.Errorf("the session of the first bridge at the second: status %d", status)
	}
	if status := address.status(t, http.DefaultClient, http.MethodGet, "/v1/status"); status != http.StatusUnauthorized {
		t.Errorf("without a session: status %d", status)
	}

	address.prefer(first, second)
	some := make(chan struct{})
	reader := &resumingReader{address: address, client: client, hasSome: sync.OnceFunc(func() { close(some) })}
	var reading, delivering sync.WaitGroup
	reading.Go(func() {
		defer reader.hasSome()
		if err := reader.read(t); err != nil {
			t.Error(err)
		}
	})
	var stopped atomic.Bool
	delivering.Go(func() {
		for i, after := 0, 0; after < 20 && !t.Failed(); i++ { // before, during and after the stop
			response, err := second.Post(bridgetest.JobDelivery(t, fmt.Sprint("job-", i), "Finished", nil), "X-Webhook-Secret", secret)
			if err != nil || response.Status != http.StatusNoContent {
				t.Errorf("delivery: %+v, %v", response, err)
			}
			if stopped.Load() {
				after++
			}
		}
	})
	<-some
	first.StopGracefully()
	stopped.Store(true)
	delivering.Wait()
	mustDeliver(t, second, bridgetest.JobDelivery(t, lastJob, "Finished", nil), "X-Webhook-Secret", secret)
	reading.Wait()
	if want := sequences(t, address, client); !slices.Equal(reader.ids, want) || reader.streams < 2 {
		t.Errorf("%d streams had the events %d, the log has %d", reader.streams, reader.ids, want)
	}
	second.StopGracefully()
}

// signIn opens the page, begins a session as the page does, and returns a client with it.
func signIn(t *testing.T, address *sharedAddress) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	for _, path := range []string{"/", "/console"} {
		page := address.request(t, client, http.MethodGet, path)
		page.Body.Close()
		if page.StatusCode != http.StatusOK || page.Request.URL.Path != basePath+"/console/" {
			t.Errorf("%s leads to %s: %s", path, page.Request.URL, page.Status)
		}
	}
	if status := address.status(t, client, http.MethodPost, "/v1/session", "Authorization", "Bearer "+viewerToken, "Origin", address.URL); status != http.StatusOK {
		t.Fatalf("session: status %d", status)
	}
	if site, err := url.Parse(address.URL + basePath + "/v1/events"); err != nil || len(jar.Cookies(site)) != 1 {
		t.Fatalf("cookies %v, %v", jar.Cookies(site), err)
	}
	return client
}

// lastJob is the resource of the last event.
const lastJob = "the-last"

// A resumingReader reads the log as an EventSource does: when a stream ends, the next one continues after the last event.
type resumingReader struct {
	address *sharedAddress
	client  *http.Client
	hasSome func() // called when some events were read
	ids     []uint64
	streams int // that had events
}

// read reads until the event of lastJob.
func (r *resumingReader) read(t *testing.T) error {
	t.Helper()
	for ended := false; !ended; {
		position := []string{}
		if len(r.ids) > 0 {
			position = []string{"Last-Event-ID", strconv.FormatUint(r.ids[len(r.ids)-1], 10)}
		}
		response := r.address.request(t, r.client, http.MethodGet, "/v1/events?from=1", position...)
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("stream: %s", response.Status)
		}
		before := len(r.ids)
		ended = r.readStream(response.Body)
		response.Body.Close()
		if len(r.ids) > before {
			r.streams++
		}
	}
	return nil
}

// readStream reads a stream to its end, and reports whether it had the event of lastJob. A message counts when it is complete.
func (r *resumingReader) readStream(body io.Reader) bool {
	lines := bufio.NewReader(body)
	var id uint64
	for last := false; ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return false
		}
		if text, ok := strings.CutPrefix(line, "id: "); ok {
			id, _ = strconv.ParseUint(strings.TrimSpace(text), 10, 64) // 0 is not in the log
		}
		last = last || strings.Contains(line, lastJob)
		if line != "\n" || id == 0 {
			continue
		}
		if r.ids, id = append(r.ids, id), 0; len(r.ids) == 20 {
			r.hasSome()
		}
		if last {
			return true
		}
	}
}

// sequences returns the sequences of all events of the log.
func sequences(t *testing.T, address *sharedAddress, client *http.Client) (all []uint64) {
	t.Helper()
	for after := ""; ; {
		var page struct {
			Items []struct{ Sequence uint64 }
			Next  string
		}
		response := address.request(t, client, http.MethodGet, "/v1/events?follow=false&limit=1000&from=1"+after)
		err := json.NewDecoder(response.Body).Decode(&page)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			all = append(all, item.Sequence)
		}
		if page.Next == "" {
			return all
		}
		after = "&after=" + url.QueryEscape(page.Next)
	}
}
