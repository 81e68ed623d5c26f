package poll_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/mkio/right"
)

// A token with the documented rights alone polls a kind, deletions included.
func TestTheDocumentedRightsSuffice(t *testing.T) {
	bridgetest.SkipIfShort(t)
	for _, kind := range lifecycle.Kinds() {
		if kind == lifecycle.ChannelInstance {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, mkiofake.Config{}, func(w *world) {
				polled, created := []lifecycle.Kind{kind}, []lifecycle.Key{}
				names := []string{"a"}
				switch kind {
				case lifecycle.Job:
					names = []string{"t", "a"}
				case lifecycle.LiveOutput:
					polled, created = append(polled, lifecycle.LiveEvent), append(created, w.key(lifecycle.LiveEvent, "a"))
					names = []string{"a", "o"}
				case lifecycle.ScheduledOperation:
					polled, created = append(polled, lifecycle.LiveAPIEvent), append(created, w.key(lifecycle.LiveAPIEvent, "a"))
					names = []string{"live-api-event", "a", "o"}
				}
				resource := w.key(kind, names...)
				granted := []string{right.Project, "webhooks.config.get"}
				for _, k := range polled {
					granted = append(granted, mkio.RightsToPoll(k)...)
				}
				w.mkio.Grant(project, granted...)
				for _, key := range append(created, resource) {
					w.mkio.Create(key, "Running")
				}
				w.start(polled...)
				time.Sleep(2 * sweep)
				w.mkio.Delete(resource)
				time.Sleep(2 * full)
				w.wantStates(resource, "Running", "Deleted")
				if refused := w.logged("403"); len(refused) > 0 {
					t.Errorf("with %s: %s", strings.Join(slices.Compact(granted), ", "), refused[0])
				}
			})
		})
	}
}
