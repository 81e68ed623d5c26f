package poll_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A cache stands between bridges and MK.IO. It records responses by their URL, and can serve them again.
type cache struct {
	to http.RoundTripper

	mu        sync.Mutex
	recording bool                      // it records responses
	serves    func(path string) bool    // the paths that it serves recorded responses for
	stamp     func(h http.Header)       // changes the header of such a response
	responses map[string]cachedResponse // by URL
	notFound  time.Time                 // when MK.IO first responded 404
}

type cachedResponse struct {
	status int
	header http.Header
	body   []byte
}

func (c *cache) set(change func(c *cache)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *cache) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	cached, ok := c.responses[r.URL.RequestURI()]
	serves, stamp := ok && c.serves != nil && c.serves(r.URL.Path), c.stamp
	c.mu.Unlock()
	if serves {
		h := cached.header.Clone()
		if stamp != nil {
			stamp(h)
		}
		return &http.Response{StatusCode: cached.status, Header: h, Body: io.NopCloser(bytes.NewReader(cached.body)), Request: r}, nil
	}
	response, err := c.to.RoundTrip(r)
	if err != nil {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	if response.StatusCode == http.StatusNotFound && c.notFound.IsZero() {
		c.notFound = time.Now()
	}
	if c.recording {
		c.responses[r.URL.RequestURI()] = cachedResponse{response.StatusCode, response.Header.Clone(), body}
	}
	return response, err
}

// inCachedWorld runs a test in a world with a cache between bridges and MK.IO.
func inCachedWorld(t *testing.T, test func(w *world, c *cache)) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		c := &cache{to: w.mkio, responses: map[string]cachedResponse{}}
		w.transport.next = c
		test(w, c)
	})
}

func everything(string) bool { return true }

// dateOfNow sets the Date of a stored response to now, as a replica that lags behind has it.
func dateOfNow(h http.Header) { h.Set("Date", time.Now().UTC().Format(http.TimeFormat)) }

// withAge sets the Age of a stored response.
func withAge(h http.Header) {
	date, _ := http.ParseTime(h.Get("Date"))
	h.Set("Age", strconv.Itoa(int(time.Since(date)/time.Second)))
}

func TestAStoredCopyDoesNotRevertAState(t *testing.T) {
	bridgetest.SkipIfShort(t)
	for name, stamp := range map[string]func(http.Header){"with its Date": nil, "with its Date and Age": withAge} {
		t.Run(name, func(t *testing.T) {
			inCachedWorld(t, func(w *world, c *cache) {
				w.mkio.SetFaults(mkiofake.Faults{NotModified: 1})
				channel, asset, job := w.key(lifecycle.LiveChannel, "news"), w.key(lifecycle.Asset, "ep"), w.key(lifecycle.Job, "t", "ep")
				w.mkio.Create(channel, "Starting")
				w.mkio.Create(asset, "Pending")
				w.mkio.Create(job, "Queued")
				w.start()
				c.set(func(c *cache) { c.recording = true })
				time.Sleep(2 * full)
				c.set(func(c *cache) { c.recording = false })
				w.mkio.Move(channel, "Running")
				w.mkio.Move(asset, "Ready")
				w.mkio.Move(job, "Processing")
				time.Sleep(full)
				c.set(func(c *cache) { c.serves, c.stamp = everything, stamp })
				time.Sleep(2 * full)
				w.wantStates(channel, "Starting", "Running")
				w.wantStates(asset, "Pending", "Ready")
				w.wantStates(job, "Queued", "Processing")
				c.set(func(c *cache) { c.serves = nil })
				w.mkio.Move(channel, "Stopped")
				time.Sleep(full)
				w.wantStates(channel, "Starting", "Running", "Stopped")
				w.wantConverged()
			})
		})
	}
}

// Copies from before a resource existed have an empty list, or the current list is empty; or a copy of its address is a 404.
func TestStoredCopiesDeleteNothing(t *testing.T) {
	bridgetest.SkipIfShort(t)
	for name, serves := range map[string]func(path string) bool{
		"of everything":              everything,
		"of the list":                isList,
		"of the resource's address":  func(path string) bool { return strings.HasSuffix(path, "/news") },
		"of the project and address": func(path string) bool { return !isList(path) },
	} {
		t.Run(name, func(t *testing.T) {
			inCachedWorld(t, func(w *world, c *cache) {
				channel := w.key(lifecycle.LiveChannel, "news")
				w.start(lifecycle.LiveChannel)
				c.set(func(c *cache) { c.recording = true })
				time.Sleep(2 * full)
				c.fetch(t, channel)
				c.set(func(c *cache) { c.recording = false })
				time.Sleep(time.Minute)
				w.mkio.Create(channel, "Running")
				time.Sleep(full)
				w.transport.set(func(tr *transport) { tr.editBody = emptyList })
				c.set(func(c *cache) { c.serves = serves })
				time.Sleep(3 * full)
				if !strings.Contains(w.logs.String(), "stored copy") && name != "of the list" {
					t.Error("the log does not say that the response is a stored copy")
				}
				w.wantStates(channel, "Running")
				c.set(func(c *cache) { c.serves = nil })
				w.mkio.Delete(channel)
				time.Sleep(2 * full)
				w.wantStates(channel, "Running", "Deleted")
			})
		})
	}
}

func emptyList(path string, top map[string]any) {
	if isList(path) {
		top["value"] = []any{}
	}
}

// fetch has the cache record the responses of a resource's own address.
func (c *cache) fetch(t *testing.T, key lifecycle.Key) {
	t.Helper()
	path, _, ok := mkio.Path(key)
	if !ok {
		t.Fatal("no path")
	}
	for _, path := range []string{path, path + "/state"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.mk.io"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
}

// A replica that lags behind shows a deleted resource, on its list and by its own address, with a current Date. The deletion is
// taken back only if MK.IO still shows the resource after a long time.
func TestALaggingReplicaRevivesNothing(t *testing.T) {
	for kind, state := range map[lifecycle.Kind]string{lifecycle.LiveEvent: "Running", lifecycle.LiveChannel: "Running", lifecycle.Asset: "Ready"} {
		t.Run(string(kind), func(t *testing.T) {
			inCachedWorld(t, func(w *world, c *cache) {
				key := w.key(kind, "cam-1")
				w.mkio.Create(key, state)
				b := w.start(kind)
				c.set(func(c *cache) { c.recording = true })
				time.Sleep(2 * full)
				c.fetch(t, key)
				c.set(func(c *cache) { c.recording = false })
				w.mkio.Delete(key)
				w.awaitState(b, full+sweep, key, "Deleted")
				c.set(func(c *cache) { c.serves, c.stamp = everything, dateOfNow })
				time.Sleep(10 * time.Minute)
				w.wantStates(key, state, "Deleted")
				w.awaitState(b, 10*time.Minute, key, state)
				w.wantStates(key, state, "Deleted", state)
			})
		})
	}
}

// A deletion has the time of the resource's 404, however long the project took to respond after that.
func TestADeletionHasTheTimeOfIts404(t *testing.T) {
	inCachedWorld(t, func(w *world, c *cache) {
		channel := w.key(lifecycle.LiveChannel, "news")
		w.mkio.Create(channel, "Running")
		w.start(lifecycle.LiveChannel)
		time.Sleep(2 * full)
		w.transport.set(func(tr *transport) { tr.latency = 20 * time.Second })
		c.set(func(c *cache) { c.notFound = time.Time{} })
		w.mkio.Delete(channel)
		time.Sleep(2 * full)
		events := w.events()[channel]
		last := events[len(events)-1].Data
		if last.State != lifecycle.StateDeleted {
			t.Fatalf("the last state is %s", last.State)
		}
		if late := last.Evidence.SeenBefore.Sub(c.notFound); late < -time.Second || late > 2*time.Second {
			t.Errorf("the 404 was at %s, and SeenBefore is %s", c.notFound, last.Evidence.SeenBefore)
		}
	})
}

// After MK.IO's clock was set back, changes are still recorded, some minutes late.
func TestAClockSetBackDelaysChangesByMinutesOnly(t *testing.T) {
	bridgetest.SkipIfShort(t)
	for _, back := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour} {
		inWorld(t, mkiofake.Config{}, func(w *world) {
			channel, job, gone := w.key(lifecycle.LiveChannel, "news"), w.key(lifecycle.Job, "t", "ep"), w.key(lifecycle.LiveEvent, "cam")
			w.transport.set(func(tr *transport) { tr.clockAhead = back })
			w.mkio.Create(channel, "Starting")
			w.mkio.Create(job, "Queued")
			w.mkio.Create(gone, "Running")
			w.start()
			time.Sleep(2 * full)
			w.mkio.Move(channel, "Running")
			time.Sleep(full)
			w.transport.set(func(tr *transport) { tr.clockAhead = 0 })
			w.mkio.Move(channel, "Stopping")
			time.Sleep(5 * time.Minute)
			w.wantStates(channel, "Starting", "Running", "Stopping")
			w.mkio.Move(channel, "Stopped")
			w.mkio.Move(job, "Finished")
			w.mkio.Delete(gone)
			time.Sleep(2 * full)
			w.wantStates(gone, "Running", "Deleted")
			w.wantConverged()
			if n := strings.Count(w.logs.String(), "MK.IO's clock was set back"); n != 1 {
				t.Errorf("%d warnings that the clock was set back", n)
			}
		})
	}
}

// A long list is polled by delta sweeps. A resource on such a page that is recorded as Deleted is rechecked, before the next full
// sweep.
func TestAFalseDeletionIsCorrectedBeforeTheNextFullSweep(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for n := range 1500 {
			w.mkio.Create(w.key(lifecycle.Job, "t", strconv.Itoa(n)), "Finished")
		}
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Processing")
		b := w.start(lifecycle.Job)
		time.Sleep(10 * time.Minute)
		w.mkio.Edit(job)
		time.Sleep(time.Second)
		w.forge(b, job, lifecycle.StateDeleted, time.Now(), time.Time{})
		time.Sleep(10 * time.Minute)
		w.wantStates(job, "Processing", "Deleted")
		w.awaitState(b, 10*time.Minute, job, "Processing")
	})
}
