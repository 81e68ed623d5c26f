package poll

import (
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// unclaimedRechecks holds rechecks of projects that this bridge does not poll: not yet, or because another bridge does, which
// may stop before it has done them. A recheck older than Full is removed, because a full sweep has covered it by then.
//
// mu guards keys; nothing is called under it.
type unclaimedRechecks struct {
	mu   sync.Mutex
	keys map[lifecycle.Key]time.Time // by resource, when the recheck was added
}

// maxUnclaimed limits the memory of a bridge that never polls, to about 200 KiB.
const maxUnclaimed = 1000

// add adds a recheck. When all slots are taken by rechecks that are not older than full, it is not added.
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

// take removes the rechecks of a project and returns them.
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

// expire removes rechecks that were added before a time. The caller holds mu.
func (u *unclaimedRechecks) expire(before time.Time) {
	for key, since := range u.keys {
		if since.Before(before) {
			delete(u.keys, key)
		}
	}
}
