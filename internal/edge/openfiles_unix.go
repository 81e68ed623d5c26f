//go:build unix

package edge

import "syscall"

// openFileLimit returns how many files and connections the process may have open.
func openFileLimit() (files uint64, limited bool) {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0, false
	}
	return uint64(limit.Cur), true //nolint:unconvert // signed on FreeBSD
}
