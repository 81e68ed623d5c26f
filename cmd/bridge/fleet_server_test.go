package main

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A jetstreamServer can be stopped and started again on its store.
type jetstreamServer struct {
	dir string

	mu      sync.Mutex
	running *server.Server // nil while it is stopped
}

func (s *jetstreamServer) start() error {
	next, err := server.NewServer(&server.Options{
		ServerName: "simulated", DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: s.dir,
		SyncInterval: 24 * time.Hour, // never: spare the real disk
	})
	if err != nil {
		return err
	}
	next.Start()
	if !next.ReadyForConnections(time.Minute) {
		return errors.New("the server is not ready")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = next
	return nil
}

func (s *jetstreamServer) stop() {
	s.mu.Lock()
	last := s.running
	s.running = nil
	s.mu.Unlock()
	last.Shutdown()
	last.WaitForShutdown()
}

// InProcessConn implements nats.InProcessConnProvider.
func (s *jetstreamServer) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil, errors.New("connection refused")
	}
	return s.running.InProcessConn()
}

// leaseTTL is the TTL of the fleet's leases. It is long, because each renewal is a write.
const leaseTTL = time.Minute

// expireLeases deletes leases that were not renewed, in place of the server, whose clock is outside of the bubble.
func (f *fleet) expireLeases() {
	bucket, err := f.js.CreateKeyValue(f.life, jetstream.KeyValueConfig{Bucket: f.names.LeaseBucket(), TTL: leaseTTL})
	if err != nil {
		f.t.Error(err)
		return
	}
	f.goroutines.Go(func() {
		for pauseFor(f.life, leaseTTL/6); f.life.Err() == nil; pauseFor(f.life, leaseTTL/6) {
			for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
				entry, err := bucket.Get(f.life, event.NameToken(project))
				if err == nil && time.Since(entry.Created()) >= leaseTTL &&
					bucket.Delete(f.life, entry.Key(), jetstream.LastRevision(entry.Revision())) == nil {
					f.count("lease ended")
				}
			}
		}
	})
}
