package broker

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// lockFile is the name of the file in the store directory that is locked.
const lockFile = "LOCK"

// lockStore creates the store directory, and locks it against other bridges, which the server itself does not do. The
// operating system releases the lock when the process ends, however it ends.
func lockStore(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, SettingError{StoreDir, err}
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, SettingError{StoreDir, fmt.Errorf("%s cannot be written or locked: %w", dir, err)}
	case !locked:
		return nil, SettingError{StoreDir, fmt.Errorf("%s is %w", dir, ErrInUse)}
	}
	return lock, nil
}

// StoreInUse reports whether a bridge uses a store directory. It creates nothing.
func StoreInUse(dir string) bool {
	file := filepath.Join(dir, lockFile)
	if _, err := os.Stat(file); err != nil {
		return false
	}
	lock := flock.New(file, flock.SetFlag(os.O_RDWR))
	locked, err := lock.TryLock()
	if locked {
		_ = lock.Close() // releases the lock
	}
	return err == nil && !locked
}
