package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/openapitest"
)

// An instance is one run of a bridge, from its start to its stop or crash. Its whole input and output is its link to NATS,
// its requests to MK.IO ([instance.RoundTrip]) and the requests to it ([instance.deliver]).
type instance struct {
	fleet      *fleet
	name       string
	config     config
	link       *link
	dead       chan struct{} // closed by a crash
	life       context.Context
	end        context.CancelFunc
	goroutines sync.WaitGroup

	mu            sync.Mutex
	bridge        *bridge       // nil until it is ready
	thawed        chan struct{} // closed by thaw; nil while it is not frozen
	freezes       int
	cutOff        int // while above 0, it receives no requests
	lostResponses int // while above 0, its responses are lost
}

func newInstance(f *fleet, name string, c config) *instance {
	i := &instance{fleet: f, name: name, config: c, link: newLink(f.server.InProcessConn), dead: make(chan struct{})}
	i.life, i.end = context.WithCancel(f.t.Context())
	i.config.dialer, i.config.transport = i.link, i
	return i
}

// restartPause is how long the supervisor waits before it retries a failed start.
const restartPause = 10 * time.Second

// run is the process with its supervisor: it opens the bridge, and retries a failed start.
func (i *instance) run() {
	for i.life.Err() == nil {
		b, err := open(i.life, i.config, i.fleet.log.With("bridge", i.name))
		if err != nil {
			select {
			case <-i.life.Done():
			case <-time.After(restartPause):
			}
			continue
		}
		b.poller.Leases = patientLeases{b.poller.Leases}
		i.goroutines.Go(func() { b.publisher.Follow(i.life, b.onEvent) })
		i.goroutines.Go(func() { b.poll(i.life) })
		i.change(func() { i.bridge = b })
		<-i.life.Done()
		i.change(func() { i.bridge = nil })
		i.goroutines.Wait()
		i.fleet.addCounts(i, b)
		b.close()
	}
	i.link.cut() // no data of this run arrives any more
}

// patientLeases tries less often to acquire a lease that another instance holds: that would be most of a test's work.
type patientLeases struct{ jetstream.KeyValue }

// Create acquires the lease.
func (p patientLeases) Create(ctx context.Context, key string, value []byte, o ...jetstream.KVCreateOpt) (uint64, error) {
	revision, err := p.KeyValue.Create(ctx, key, value, o...)
	if errors.Is(err, jetstream.ErrKeyExists) {
		pauseFor(ctx, leaseTTL/4)
	}
	return revision, err
}

func (i *instance) change(do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	do()
}

// crash ends the instance at once: nothing that its goroutines still do has an effect outside. It reports whether the
// instance was alive.
func (i *instance) crash() bool {
	i.link.cut()
	first := false
	i.change(func() {
		if first = !i.isDead(); first {
			close(i.dead)
		}
	})
	i.end()
	return first
}

// freeze stops the instance, as SIGSTOP does, until thaw: requests from and to it wait.
func (i *instance) freeze() {
	i.link.pause()
	i.change(func() {
		if i.freezes++; i.freezes == 1 {
			i.thawed = make(chan struct{})
		}
	})
}

func (i *instance) thaw() {
	i.change(func() {
		if i.freezes--; i.freezes == 0 {
			close(i.thawed)
			i.thawed = nil
		}
	})
	i.link.resume()
}

var errDead = errors.New("the bridge is dead")

// waitAlive waits while the instance is frozen, and returns errDead when it crashed. Deadlines are ignored, as in a stopped
// process.
func (i *instance) waitAlive() error {
	for {
		var thawed chan struct{}
		i.change(func() { thawed = i.thawed })
		if thawed == nil {
			break
		}
		select {
		case <-thawed:
		case <-i.dead:
		}
		if i.isDead() {
			break
		}
	}
	if i.isDead() {
		return errDead
	}
	return nil
}

func (i *instance) isDead() bool {
	select {
	case <-i.dead:
		return true
	default:
		return false
	}
}

// RoundTrip is a request of the instance to MK.IO. While the instance is frozen the response waits.
func (i *instance) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := i.waitAlive(); err != nil {
		return nil, err
	}
	response, err := i.fleet.requestMKIO(r)
	if err := i.waitAlive(); err != nil {
		return nil, err
	}
	return response, err
}

// deliver is a request to the instance. The instance completes it also when the sender is gone.
func (i *instance) deliver(r *http.Request) (*http.Response, error) {
	responses := make(chan *http.Response, 1)
	accepted := false
	i.change(func() {
		b := i.bridge
		if accepted = b != nil && i.cutOff == 0; accepted {
			i.goroutines.Go(func() {
				if i.waitAlive() != nil {
					return
				}
				response := httptest.NewRecorder()
				openapitest.Check(b.publicRoutes()).ServeHTTP(response, r)
				if i.waitAlive() == nil {
					responses <- response.Result()
				}
			})
		}
	})
	if !accepted {
		i.fleet.count("delivery refused")
		return nil, errors.New("connection refused")
	}
	select {
	case response := <-responses:
		var lost bool
		i.change(func() { lost = i.lostResponses > 0 })
		if !lost {
			return response, nil
		}
		if response.StatusCode/100 == 2 {
			i.fleet.count("response lost after the commit")
		}
		return nil, errors.New("connection reset")
	case <-i.dead:
		return nil, errors.New("connection reset")
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
