package bridgetest

import "testing"

// SkipIfShort skips a simulation of hours under go test -short: with the race detector it takes minutes, and shorter tests
// run the same goroutines.
func SkipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("simulates hours; skipped by -short")
	}
}
