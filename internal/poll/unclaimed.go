package poll

import (
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// unclaimed holds rechecks of projects that are not polled here: not yet, or by another bridge, which may die before it asks. A
// recheck that is older than Full is dropped, because a full sweep has compared every resource since.
//
// mu guards keys; nothing is called under it.
type unclaimedRechecks struct {
	mu   sync.Mutex
	keys map[lifecycle.Key]time.Time // since when
}

// maxUnclaimed bounds what a bridge holds that never polls: about 200 KiB.
const maxUnclaimed = 1000

func (u *unclaimedRechecks) add(key lifecycle.Key, now time.Time, full time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.keys == nil {
		u.keys = map[lifecycle.Key]time.Time{}
	}
	if len(u.keys) >= maxUnclaimed {
		u.expire(now.Add(-full))
	}
	if _, held := u.keys[key]; held || len(u.keys) < maxUnclaimed {
		u.keys[key] = now
	}
}

// take returns those of a project and holds them no longer.
func (u *unclaimedRechecks) take(project string, now time.Time, full time.Duration) (keys []lifecycle.Key) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.expire(now.Add(-full))
	for key := range u.keys {
		if key.Project == project {
			keys = append(keys, key)
			delete(u.keys, key)
		}
	}
	return keys
}

// forget drops what is older than an instant. The caller holds mu.
func (u *unclaimedRechecks) expire(before time.Time) {
	for key, since := range u.keys {
		if since.Before(before) {
			delete(u.keys, key)
		}
	}
}
