package mkiofake

import (
	"context"
	"sync"
	"time"
)

// Run plays scripts and sends deliveries until the context ends. It returns when all it began has ended; what
// was not told by then is told by the next Run.
func (m *MKIO) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	slots := make(chan struct{}, m.config.AtOnce)
	for ctx.Err() == nil {
		t, ok := m.take(ctx)
		if !ok {
			break
		}
		if t.step != nil {
			m.locked(func() {
				m.apply(*t.step)
				m.agenda.done()
			})
			continue
		}
		sending.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			m.attempt(ctx, t.delivery)
		})
	}
	return nil
}

// take waits for the next task; false when the context ended first.
func (m *MKIO) take(ctx context.Context) (task, bool) {
	for {
		m.mu.Lock()
		t, wait, ok := m.agenda.pop(m.clock.steady())
		wait = m.clock.real(wait)
		changed := m.agenda.changed
		m.mu.Unlock()
		if t.step != nil || t.delivery != nil {
			return t, true
		}
		var due <-chan time.Time
		if ok {
			timer := time.NewTimer(wait + time.Microsecond) // not before it: the clocks are rounded
			defer timer.Stop()
			due = timer.C
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
			return task{}, false
		}
	}
}

// Idle returns a channel that is closed when the script is played out and no delivery is outstanding.
func (m *MKIO) Idle() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.agenda.finished
}

// Sending is how many deliveries are due and not answered.
func (m *MKIO) Sending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.agenda.inHand
}
