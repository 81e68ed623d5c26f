package mkiofake

import (
	"context"
	"sync"
	"time"
)

// Run plays scripts and sends deliveries until the context ends, and returns when all goroutines have ended. Deliveries that
// are not sent by then are sent by the next Run.
func (m *MKIO) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	slots := make(chan struct{}, m.config.MaxInFlight)
	for ctx.Err() == nil {
		t, ok := m.nextTask(ctx)
		if !ok {
			break
		}
		if t.step != nil {
			m.locked(func() {
				m.apply(*t.step)
				m.tasks.done()
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

// nextTask waits for the next task; false if the context ended first.
func (m *MKIO) nextTask(ctx context.Context) (task, bool) {
	for {
		m.mu.Lock()
		t, wait, ok := m.tasks.pop(m.clock.steady())
		wait = m.clock.realDuration(wait)
		changed := m.tasks.changed
		m.mu.Unlock()
		if t.step != nil || t.delivery != nil {
			return t, true
		}
		var due <-chan time.Time
		if ok {
			timer := time.NewTimer(wait + time.Microsecond) // clocks are rounded: never fire early
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

// Idle returns a channel that is closed when the script is played and no delivery is pending.
func (m *MKIO) Idle() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks.idle
}

// InFlight returns how many due deliveries have no response yet.
func (m *MKIO) InFlight() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks.inFlight
}
