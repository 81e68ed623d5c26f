package poll

import (
	"errors"
	"sync"
	"time"

	"mkio-bridge/internal/mkio"
)

// A breaker stops all requests of a project for a while (it is open) when an error is not of one list alone: the token is
// refused, or the log cannot be written.
//
// mu guards what follows it; nothing of the project is called under it.
type breaker struct {
	*scope
	identity *identityCheck

	mu        sync.Mutex
	until     time.Time // nothing is asked before
	refused   time.Time // when the token was last refused
	succeeded time.Time // when an errand last had success
	open      bool      // it is open, and that was logged
	logDown   bool      // it is open because the log cannot be written; it closes once the log can
}

// blocked says whether the breaker is open, so that nothing is to be asked now, and until when.
func (b *breaker) blocked(now time.Time) (until time.Time, open bool) {
	trouble := b.eventLog.Trouble()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case now.Before(b.until):
		return b.until, true
	case trouble != nil:
		b.until, b.logDown = now.Add(b.intervals.active), true
		b.logOpen(logError{trouble})
		return b.until, true
	case b.logDown:
		b.logDown = false
		b.close()
	}
	return time.Time{}, false
}

// trip opens the breaker, if an error is not of one list alone, and says whether it is such an error. For a mismatch of the
// identity it refuses the project instead.
func (b *breaker) trip(err error, now time.Time, wait time.Duration) bool {
	if isMismatch(err) {
		b.identity.refuse(err)
		return true
	}
	_, unwritable := errors.AsType[logError](err)
	logDown := unwritable && b.eventLog.Trouble() != nil
	b.mu.Lock()
	defer b.mu.Unlock()
	refused := mkio.StatusOf(err) == 401
	if refused {
		// An errand succeeded since the token was last refused: other addresses accept the token, so only this one refuses it.
		alone := !b.refused.IsZero() && !b.succeeded.Before(b.refused)
		b.refused = now
		refused = !alone
	}
	if !refused && !unwritable {
		return false
	}
	b.until = now.Add(max(wait, b.intervals.active))
	if logDown {
		b.until, b.logDown = now.Add(b.intervals.active), true // and then nothing is asked either, before the log can be written
	}
	b.logOpen(err)
	return true
}

// success notes that an errand had success.
func (b *breaker) succeed(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.succeeded = now
	b.close()
}

// say says once that the breaker is open. The caller holds mu.
func (b *breaker) logOpen(err error) {
	if !b.open {
		b.log.Error("polling pauses", "error", err, "do", b.advice(err))
	}
	b.open = true
	b.metrics.setBreaker(b.name, true)
}

// close lets requests pass again. The caller holds mu.
func (b *breaker) close() {
	if b.open {
		b.log.Info("polling goes on")
	}
	b.open = false
	b.metrics.setBreaker(b.name, false)
}
