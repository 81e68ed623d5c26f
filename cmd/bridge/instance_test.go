package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// An instance is one run of a bridge, from its start to its stop or crash. It reaches NATS by its cable and MK.IO by
// [instance.RoundTrip], and is reached by [instance.deliver]: whoever holds these three holds all that it does.
type instance struct {
	fleet  *fleet
	name   string
	config config
	cable  *cable
	dead   chan struct{} // closed by a crash
	life   context.Context
	end    context.CancelFunc
	parts  sync.WaitGroup // all that runs in it

	mu     sync.Mutex
	bridge *bridge       // nil until it is ready
	ice    chan struct{} // closed when it thaws; nil while it is not frozen
	frozen int
	cutOff int // while above 0, no request comes here
	mute   int // while above 0, no answer leaves
}

func newInstance(f *fleet, name string, c config) *instance {
	i := &instance{fleet: f, name: name, config: c, cable: newCable(f.server.InProcessConn), dead: make(chan struct{})}
	i.life, i.end = context.WithCancel(f.t.Context())
	i.config.dialer, i.config.transport = i.cable, i
	return i
}

// restartPause is how long a supervisor waits before it starts again what did not come up.
const restartPause = 10 * time.Second

// run is the process, with its supervisor: it opens the bridge as often as it takes.
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
		b.poller.Leases = patient{b.poller.Leases}
		i.parts.Go(func() { b.publisher.Follow(i.life, b.told) })
		i.parts.Go(func() { b.poll(i.life) })
		i.change(func() { i.bridge = b })
		<-i.life.Done()
		i.change(func() { i.bridge = nil })
		i.parts.Wait()
		i.fleet.gather(i, b)
		b.close()
	}
	i.cable.cut() // if it was not: nothing of it is left
}

// patient tries less often to take a lease that another holds: most of what a day costs would be that.
type patient struct{ jetstream.KeyValue }

// Create takes the lease.
func (p patient) Create(ctx context.Context, key string, value []byte, o ...jetstream.KVCreateOpt) (uint64, error) {
	revision, err := p.KeyValue.Create(ctx, key, value, o...)
	if errors.Is(err, jetstream.ErrKeyExists) {
		pauseFor(ctx, leaseTime/4)
	}
	return revision, err
}

func (i *instance) change(what func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	what()
}

// crash ends the instance in the middle of whatever it does: nothing that it still does is seen anywhere. It says
// whether there was something to end.
func (i *instance) crash() bool {
	i.cable.cut()
	first := false
	i.change(func() {
		if first = !i.isDead(); first {
			close(i.dead)
		}
	})
	i.end()
	return first
}

// freeze stops the instance, as SIGSTOP does, until it thaws: what it asked and was asked waits.
func (i *instance) freeze() {
	i.cable.hold()
	i.change(func() {
		if i.frozen++; i.frozen == 1 {
			i.ice = make(chan struct{})
		}
	})
}

func (i *instance) thaw() {
	i.change(func() {
		if i.frozen--; i.frozen == 0 {
			close(i.ice)
			i.ice = nil
		}
	})
	i.cable.release()
}

var errDead = errors.New("the bridge is dead")

// alive waits while the instance is frozen. Deadlines do not matter: nothing in it runs that could look at them.
func (i *instance) alive() error {
	for {
		var ice chan struct{}
		i.change(func() { ice = i.ice })
		if ice == nil {
			break
		}
		select {
		case <-ice:
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

// RoundTrip is a request of the instance to MK.IO. The answer comes when the instance can see it, old as it may be.
func (i *instance) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := i.alive(); err != nil {
		return nil, err
	}
	answer, err := i.fleet.askMKIO(r)
	if err := i.alive(); err != nil {
		return nil, err
	}
	return answer, err
}

// deliver is a request to the instance. It goes on in it, though the sender may have left.
func (i *instance) deliver(r *http.Request) (*http.Response, error) {
	answered := make(chan *http.Response, 1)
	taken := false
	i.change(func() {
		b := i.bridge
		if taken = b != nil && i.cutOff == 0; taken {
			i.parts.Go(func() {
				if i.alive() != nil {
					return
				}
				answer := httptest.NewRecorder()
				b.publicRoutes().ServeHTTP(answer, r)
				if i.alive() == nil {
					answered <- answer.Result()
				}
			})
		}
	})
	if !taken {
		i.fleet.count("delivery refused")
		return nil, errors.New("connection refused")
	}
	select {
	case answer := <-answered:
		var mute bool
		i.change(func() { mute = i.mute > 0 })
		if !mute {
			return answer, nil
		}
		if answer.StatusCode/100 == 2 {
			i.fleet.count("answer lost after the commit")
		}
		return nil, errors.New("connection reset")
	case <-i.dead:
		return nil, errors.New("connection reset")
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
