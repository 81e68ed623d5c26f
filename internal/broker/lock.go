package broker

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// lockStore creates the store directory, and locks it against other bridges, which the server itself does not do. The
// operating system releases the lock when the process ends, however it ends.
func lockStore(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, SettingError{StoreDir, err}
	}
	lock := flock.New(filepath.Join(dir, "LOCK"), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, SettingError{StoreDir, fmt.Errorf("%s cannot be written or locked: %w", dir, err)}
	case !locked:
		return nil, SettingError{StoreDir, fmt.Errorf("%s is %w", dir, ErrInUse)}
	}
	return lock, nil
}
