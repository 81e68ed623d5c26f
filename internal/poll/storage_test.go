package poll_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A full sweep finds that a storage's credential has expired, and that it has another, although neither changes the
// modification time. Without a private link its state is empty throughout.
func TestExpiredCredentialOfAStorage(t *testing.T) {
	inWorld(t, mkiofake.Config{Faults: mkiofake.Faults{NotModified: 1}}, func(w *world) {
		w.start(lifecycle.Storage)
		time.Sleep(2 * sweep)
		store := w.key(lifecycle.Storage, "aurorastore")
		w.mkio.Create(store, "")
		time.Sleep(2 * full)
		for _, provisioning := range []string{"Failed", ""} {
			w.mkio.Play([]mkiofake.Step{{Do: mkiofake.Provision, Key: store, State: provisioning, At: w.mkio.Now()}})
			time.Sleep(2 * full)
		}
		var got []string
		for _, e := range w.events()[store] {
			got = append(got, fmt.Sprintf("%q %s %s", e.Data.State, e.Data.Phase, e.Data.ProvisioningState))
		}
		if want := []string{`"" resting `, `"" failed Failed`, `"" resting `}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		w.wantConverged()
	})
}
