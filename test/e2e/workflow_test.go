//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A workflow is a simulated MK.IO, a bridge that watches it, and the programs that act on it. It records the order of what
// the programs do and of what happens in MK.IO, so that a test can judge whether they were too early.
type workflow struct {
	*mkiofake.MKIO
	t      *testing.T
	url    string // of the simulated MK.IO
	bridge *bridgetest.Bridge
	nats   string // URL at which the programs connect
	js     jetstream.JetStream

	mu       sync.Mutex
	requests int            // of the programs, since the last call of killAfter or refuseEvery
	killAt   int            // the request after which kill is called; 0: none
	refused  int            // every such request is refused; 0: none
	blind    bool           // the bridge cannot read MK.IO
	served   map[string]int // requests of the programs that were served, by method and path
	kill     func()         // ends the program that sent the request
}

// programToken is the token of the programs under test: the bridge has another.
const programToken = "program-token"

// settle is how long the simulated MK.IO takes to create, start and stop.
const settle = 300 * time.Millisecond

// endpoint is the streaming endpoint at which outputs are played.
var endpoint = mkioKey(lifecycle.StreamingEndpoint, "default")

func mkioKey(kind lifecycle.Kind, names ...string) lifecycle.Key {
	key, err := lifecycle.NewKey(kind, mkiofake.VOD, names...)
	if err != nil {
		panic(err) // cannot fail: tests use plain names
	}
	return key
}

// startWorkflow starts MK.IO and a bridge, which polls often and receives deliveries. setUp changes MK.IO before the bridge
// first sweeps it. The environment may connect the bridge to a NATS server instead of its embedded one.
func startWorkflow(t *testing.T, setUp func(*mkiofake.MKIO), env ...string) *workflow {
	t.Helper()
	w := &workflow{MKIO: mkiofake.New(mkiofake.Config{Settle: settle, ReadLimit: -1, LiveEventWebhooks: true, Start: time.Now().Add(-time.Minute)}), t: t, served: map[string]int{}}
	setUp(w.MKIO)
	w.SetClock(time.Minute) // what was set up is a minute old
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })

	listen := bridgetest.FreeAddress(t)
	w.PutRule(mkiofake.VOD, "bridge", mkiofake.Rule{URL: "http://" + listen + webhookPath, Events: mkiofake.EventTypes()})
	w.bridge = bridgetest.StartBridge(t, append([]string{
		"BRIDGE_LISTEN=" + listen, "BRIDGE_NATS_LISTEN=" + bridgetest.FreeAddress(t), "BRIDGE_SYNC=1s",
		"BRIDGE_MKIO_URL=" + w.url, "BRIDGE_MKIO_TOKEN=" + token, "BRIDGE_PROJECTS=" + mkiofake.VOD,
		"BRIDGE_KINDS=job,live-event,streaming-endpoint,streaming-locator",
		"BRIDGE_POLL_ACTIVE=100ms", "BRIDGE_POLL_SWEEP=200ms", "BRIDGE_POLL_RATE=10000",
	}, env...)...)
	for _, list := range []string{"jobs", "liveEvents", "streamingEndpoints", "streamingLocators"} {
		w.await("the first sweep of "+list, func() bool { return w.Requests(mkiofake.VOD).ByRoute["GET media/"+list] > 1 })
	}
	if w.bridge.NATS == "" {
		return w
	}
	w.nats = "nats://" + w.bridge.NATS
	nc, err := nats.Connect(w.nats, nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if w.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *workflow) await(what string, condition func() bool) {
	w.t.Helper()
	bridgetest.Eventually(w.t, what, condition)
}

// ServeHTTP serves MK.IO's API, and kills a program after one of its requests: MK.IO has done what was asked for, and the
// program gets no response.
func (w *workflow) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	if r.Header.Get("Authorization") != "Bearer "+programToken {
		blind := w.blind
		w.mu.Unlock()
		if blind {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.MKIO.ServeHTTP(rw, r)
		return
	}
	w.requests++
	n, kill, killed, refused := w.requests, w.kill, w.requests == w.killAt, w.refused > 0 && w.requests%w.refused == 0
	w.mu.Unlock()
	switch {
	case killed:
		w.MKIO.ServeHTTP(httptest.NewRecorder(), r)
		kill()
		panic(http.ErrAbortHandler)
	case refused && n%2 == 0:
		rw.Header().Set("Retry-After", "1")
		rw.WriteHeader(http.StatusTooManyRequests)
	case refused:
		rw.WriteHeader(http.StatusBadGateway)
	default:
		w.MKIO.ServeHTTP(rw, r)
		w.mu.Lock()
		w.served[r.Method+" "+r.URL.Path]++
		w.mu.Unlock()
	}
}

// runUntilRead starts a program, and waits until a program has read a media resource.
func (w *workflow) runUntilRead(path string, run func()) {
	w.t.Helper()
	count := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.served["GET /api/v1/projects/"+mkiofake.VOD+"/media/"+path]
	}
	before := count()
	run()
	w.await("a program reads "+path, func() bool { return count() > before })
}

// setBlind keeps the bridge from reading MK.IO, or ends that.
func (w *workflow) setBlind(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blind = on
}

// refuseEvery refuses every n-th request of the programs, with 429 or 502.
func (w *workflow) refuseEvery(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests, w.refused = 0, n
}

// killAfter kills a program once, after its n-th request from now on; 0: never.
func (w *workflow) killAfter(n int, kill func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests, w.killAt, w.kill = 0, n, kill
}

// job creates a job with its output asset, and lets it go through states. A state "Deleted" deletes it.
func (w *workflow) job(name string, states ...string) {
	key := mkioKey(lifecycle.Job, "ladder-hd", name)
	if asset := mkioKey(lifecycle.Asset, name+"-out"); w.Current()[asset].State == "" {
		w.Create(asset, "Ready")
	}
	for _, state := range states {
		switch _, exists := w.Current()[key]; {
		case state == lifecycle.StateDeleted:
			w.Delete(key)
		case exists:
			w.Move(key, state)
		default:
			w.Create(key, state)
		}
	}
}

// stateAt returns the state of a resource at a place in the order of writes and changes; "": it did not exist.
func stateAt(changes []mkiofake.Change, key lifecycle.Key, order uint64) (state string) {
	for _, c := range changes {
		if c.Key == key && c.Order < order {
			state = c.State
		}
	}
	return state
}

// checkLocators checks that exactly these jobs have a locator of their output, created once and not before they were Finished.
func (w *workflow) checkLocators(jobs ...string) {
	w.t.Helper()
	changes := w.Changes()
	var created []string
	for _, write := range w.Writes() {
		if !strings.HasPrefix(write.Path, "media/streamingLocators/") || write.Method != http.MethodPut || write.Status/100 != 2 {
			continue
		}
		var put struct{ Properties struct{ AssetName string } }
		if err := json.Unmarshal([]byte(write.Body), &put); err != nil {
			w.t.Error(err)
		}
		job := strings.TrimSuffix(put.Properties.AssetName, "-out") // whatever the locator is called
		if write.Status == http.StatusCreated {
			created = append(created, job)
		}
		if state := stateAt(changes, mkioKey(lifecycle.Job, "ladder-hd", job), write.Order); state != "Finished" {
			w.t.Errorf("%s was published when it was %s", job, state)
		}
	}
	slices.Sort(created)
	slices.Sort(jobs)
	if !slices.Equal(created, jobs) {
		w.t.Errorf("locators were created for %v, want one for each of %v", created, jobs)
	}
}
