package notify

import (
	"context"
	"fmt"
	"maps"
	"sync"
)

// A service sends a rule's title and text to a notification service, by a service URL of shoutrrr.
//
// Shoutrrr's senders take no context, and some wait for a response without limit (mail). So each runs in a goroutine of its
// own, and Send returns when its context ends. A message whose sender still runs is not sent a second time: the next try
// waits for the same sender. At most maxSenders run at once for a target, stuck ones included.
type service struct {
	config ServiceConfig
	url    secretSource

	mu      sync.Mutex
	running map[string]*trial // by message
}

// maxSenders limits the goroutines and connections of a target. A rule sends no more messages at a time.
const maxSenders = 64

// A trial is a sender at work. err is set before done is closed.
type trial struct {
	done chan struct{}
	err  error
}

// hasEnded reports whether the sender has returned.
func (t *trial) hasEnded() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

func newService(c ServiceConfig, getenv func(string) string) (*service, error) {
	s := &service{config: c, url: secretSource{"url", c.URLFile, c.URLEnv, getenv}, running: map[string]*trial{}}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	return s, nil
}

// check reports what is wrong with the configuration and the current URL.
func (s *service) check() error {
	if err := s.url.check(); err != nil {
		return err
	}
	if !s.url.isSet() {
		return errNoURL
	}
	address, err := s.read()
	if err != nil {
		return err
	}
	_, err = address.open()
	return err
}

// read returns the current service URL with the target's parameters.
func (s *service) read() (serviceAddress, error) {
	text, err := s.url.read()
	if err != nil {
		return serviceAddress{}, err
	}
	return newServiceAddress(text, s.config.Params)
}

// Send implements [Target].
func (s *service) Send(ctx context.Context, m Message) error {
	address, err := s.read()
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s\n%s\n%d", m.Rule, m.Event.ID(), m.Count)
	t, err := s.start(key, address, m)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s has not responded: %w; the next try waits for the same request", address.name(), ctx.Err())
	case <-t.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, key)
		return t.err
	}
}

// start starts sending a message, or returns the trial that sends it already.
func (s *service) start(key string, address serviceAddress, m Message) (*trial, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.running[key]; t != nil {
		return t, nil
	}
	if len(s.running) >= maxSenders {
		// Forget the trials that ended after their try did. Their messages may be sent once more.
		maps.DeleteFunc(s.running, func(_ string, t *trial) bool { return t.hasEnded() })
	}
	if len(s.running) >= maxSenders {
		return nil, fmt.Errorf("%s: %d requests are in flight or stuck, the most that are allowed", address.name(), maxSenders)
	}
	t := &trial{done: make(chan struct{})}
	s.running[key] = t
	go func() {
		defer close(t.done)
		t.err = address.send(m)
	}()
	return t, nil
}
