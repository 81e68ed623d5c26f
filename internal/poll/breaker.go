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
	identity *identification

	mu        sync.Mutex
	until     time.Time // nothing is asked before
	refused   time.Time // when the token was last refused
	succeeded time.Time // when an errand last had success
	open      bool      // and that was said
	unlogged  bool      // it is open while the log says that it cannot be written
}

// holds says whether nothing is to be asked now, and until when.
func (b *breaker) holds(now time.Time) (until time.Time, yes bool) {
	trouble := b.state.Trouble()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case now.Before(b.until):
		return b.until, true
	case trouble != nil:
		b.until, b.unlogged = now.Add(b.pace.active), true
		b.say(logError{trouble})
		return b.until, true
	case b.unlogged:
		b.unlogged = false
		b.close()
	}
	return time.Time{}, false
}

// trip says whether an error stops all asking of the project for a while, or for as long as it is another project.
func (b *breaker) trip(err error, now time.Time, wait time.Duration) bool {
	if isMismatch(err) {
		b.identity.refuse(err)
		return true
	}
	_, unwritable := errors.AsType[logError](err)
	unlogged := unwritable && b.state.Trouble() != nil
	b.mu.Lock()
	defer b.mu.Unlock()
	refused := mkio.StatusOf(err) == 401
	if refused {
		// What is accepted elsewhere is refused here: that is a matter of this address.
		alone := !b.refused.IsZero() && !b.succeeded.Before(b.refused)
		b.refused = now
		refused = !alone
	}
	if !refused && !unwritable {
		return false
	}
	b.until = now.Add(max(wait, b.pace.active))
	if unlogged {
		b.until, b.unlogged = now.Add(b.pace.active), true // and then nothing is asked either, before the log can be written
	}
	b.say(err)
	return true
}

// success notes that an errand had success.
func (b *breaker) success(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.succeeded = now
	b.close()
}

// say says once that the breaker is open. The caller holds mu.
func (b *breaker) say(err error) {
	if !b.open {
		b.log.Error("polling pauses", "error", err, "do", b.advice(err))
	}
	b.open = true
	b.metrics.troubled(b.name, true)
}

// close lets requests pass again. The caller holds mu.
func (b *breaker) close() {
	if b.open {
		b.log.Info("polling goes on")
	}
	b.open = false
	b.metrics.troubled(b.name, false)
}
