package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockStore makes the store directory and keeps other bridges out: the server itself does not.
func lockStore(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("BRIDGE_STORE_DIR: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("BRIDGE_STORE_DIR %s cannot be written: %w", dir, err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return lock, nil
	}
	_ = lock.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("BRIDGE_STORE_DIR %s is in use by another bridge: stop it, or choose another directory", dir)
	}
	return nil, fmt.Errorf("BRIDGE_STORE_DIR %s cannot be locked: %w", dir, err)
}
