package poll

import (
	"errors"
	"sync"
	"time"

	"mkio-bridge/internal/mkio"
)

// A breaker is the circuit breaker of a project. It opens, which stops all requests for a while, when an error concerns every
// list: the token is refused, or the log cannot be written.
//
// mu guards the fields below it; no other part of the project is called under it.
type breaker struct {
	*scope
	identity *identityCheck

	mu        sync.Mutex
	until     time.Time // no request before this
	refused   time.Time // when the token was last refused
	succeeded time.Time // when a poll last succeeded
	open      bool      // as logged and exported
	logDown   bool      // it is open because the log cannot be written, and closes as soon as it can
}

// blocked reports whether the breaker is open, and until when.
func (b *breaker) blocked(now time.Time) (until time.Time, open bool) {
	down := b.eventLog.Unavailable()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case now.Before(b.until):
		return b.until, true
	case down != nil:
		b.until, b.logDown = now.Add(b.intervals.active), true
		b.logOpen(logError{down})
		return b.until, true
	case b.logDown:
		b.logDown = false
		b.close()
	}
	return time.Time{}, false
}

// trip opens the breaker if an error concerns every list, and reports whether it handled the error. For an identity mismatch it
// refuses the project instead.
func (b *breaker) trip(err error, now time.Time, wait time.Duration) bool {
	if isMismatch(err) {
		b.identity.refuse(err)
		return true
	}
	_, unwritable := errors.AsType[logError](err)
	logDown := unwritable && b.eventLog.Unavailable() != nil
	b.mu.Lock()
	defer b.mu.Unlock()
	refused := mkio.StatusOf(err) == 401
	if refused {
		// A poll succeeded since the token was last refused: other addresses accept the token, so only this one refuses it.
		alone := !b.refused.IsZero() && !b.succeeded.Before(b.refused)
		b.refused = now
		refused = !alone
	}
	if !refused && !unwritable {
		return false
	}
	b.until = now.Add(max(wait, b.intervals.active))
	if logDown {
		b.until, b.logDown = now.Add(b.intervals.active), true // blocked keeps it open after that, while the log is down
	}
	b.logOpen(err)
	return true
}

// succeed notes that a poll succeeded.
func (b *breaker) succeed(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.succeeded = now
	b.close()
}

// logOpen logs that the breaker opens, and exports it. The caller holds mu.
func (b *breaker) logOpen(err error) {
	if !b.open {
		b.log.Error("polling paused", "error", err, "do", b.advice(err))
	}
	if !b.open {
		b.standing.setPaused(err, time.Now())
	}
	b.open = true
	b.metrics.setBreaker(b.name, true)
}

// close lets requests pass again. The caller holds mu.
func (b *breaker) close() {
	if b.open {
		b.log.Info("polling resumed")
	}
	b.open = false
	b.standing.setPaused(nil, time.Time{})
	b.metrics.setBreaker(b.name, false)
}
