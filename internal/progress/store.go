package progress

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// Config configures a Store.
type Config struct {
	JS      jetstream.JetStream
	Streams streams.Config // with which a missing bucket is created
	BaseURL string         // of MK.IO's API; the sources of events begin with it
	// Ended reports whether a job in the bucket has ended, and this bridge is the one to delete it.
	Ended func(resource string, key lifecycle.Key) bool
	// Advise returns what an operator should do about an error of the bucket; nil: no advice.
	Advise func(error) string
	Log    *slog.Logger
}

// A Store writes and reads the progress of jobs. Its methods may be called concurrently.
type Store struct {
	follower *follower
	writer   *writer
}

// New returns a store. Until [Store.Run] runs it, it reads and writes nothing.
func New(c Config) *Store {
	f := &follower{Config: c, attached: make(chan struct{}, 1)}
	return &Store{f, newWriter(c, f)}
}

// Run keeps the store until the context ends.
func (s *Store) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.follower.run(ctx) })
	running.Go(func() { s.writer.run(ctx) })
}

// Put notes how far a running job is. It does not wait. p.Source is the path of the job below the base address.
func (s *Store) Put(resource string, p event.Progress) { s.writer.put(resource, p, time.Now()) }

// Delete notes that a job has ended. It does not wait.
func (s *Store) Delete(resource string) { s.writer.delete(resource) }

// Get returns how far a job is, as the bucket has it; false if the bucket does not.
func (s *Store) Get(resource string) (event.Progress, bool) {
	return s.follower.get(resource, time.Now())
}
