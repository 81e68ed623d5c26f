package poll

import (
	"sync"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
)

// A standing is how a project that this bridge polls stands: what the bridge publishes with its lease ([event.Leader]). The
// parts of the project report to it; it may be read and written by any goroutine.
type standing struct {
	client *mkio.Client
	advice func(error) string

	mu     sync.Mutex
	leader event.Leader
}

func newStanding(p *Poller, project string) *standing {
	return &standing{client: p.Client, advice: p.advice, leader: event.Leader{
		Project: project, Instance: p.Instance, Since: time.Now().UTC().Truncate(time.Millisecond),
		SweepSeconds: p.Sweep.Seconds(), FullSeconds: p.Full.Seconds(),
	}}
}

// value returns what to store in the lease; nil if it cannot be encoded: a lease without it is as good for polling.
func (s *standing) value() []byte {
	now := time.Now().UTC().Truncate(time.Millisecond)
	s.mu.Lock()
	l := s.leader
	s.mu.Unlock()
	l.At = now
	l.Budget = event.LeaderBudget{PerMinute: s.client.PerMinute(), Used: s.client.Budget(l.Project).Used(now)}
	l.Token.Kind = string(s.client.TokenType())
	if end, ok := s.client.TokenExpiry(); ok {
		l.Token.Ends = optional(end)
	}
	value, err := l.Encode()
	if err != nil {
		return nil
	}
	return value
}

// setDeliveries publishes what the delivery history shows.
func (s *standing) setDeliveries(d event.LeaderDeliveries) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader.Deliveries = &d
}

// setRule publishes how the webhook rule stands.
func (s *standing) setRule(r event.LeaderRule, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.At = now.UTC().Truncate(time.Millisecond)
	s.leader.Rule = &r
}

// setPaused publishes that polling is paused because of an error, or with nil that it is not.
func (s *standing) setPaused(err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader.Paused = s.trouble(s.leader.Paused, err, now, true)
}

// setIdentity publishes the standing of the project's identity; err is why it is not known.
func (s *standing) setIdentity(standing identity.Standing, err error, now time.Time) {
	if standing == identity.Known {
		err = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader.Identity = s.trouble(s.leader.Identity, err, now, standing == identity.Another)
}

// trouble returns the trouble of an error, which keeps its beginning while it lasts; nil without an error.
func (s *standing) trouble(former *event.LeaderTrouble, err error, now time.Time, stops bool) *event.LeaderTrouble {
	if err == nil {
		return nil
	}
	t := &event.LeaderTrouble{Since: now.UTC().Truncate(time.Millisecond), Reason: err.Error(), Stops: stops, Do: s.advice(err)}
	if former != nil && former.Stops == stops {
		t.Since = former.Since
	}
	return t
}

// optional returns nil for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
