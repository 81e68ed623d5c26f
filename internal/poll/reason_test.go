package poll_test

import (
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// The event of a resource of the Live API that failed says why, whether or not MK.IO's plain records do. The detailed record is
// read for the event alone; where it cannot be read, the event has no errors.
func TestAFailureOfTheLiveAPISaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		noInfo, refused bool
	}{
		"in the plain record":       {},
		"in the detailed record":    {noInfo: true},
		"a refused detailed record": {noInfo: true, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, mkiofake.Config{}, func(w *world) {
				w.mkio.SetProjectShape(project, mkiofake.ProjectShape{NoInfo: c.noInfo})
				requests := 0
				w.transport.set(func(tr *transport) {
					tr.override = func(path string) (int, string) {
						if !strings.Contains(path, "detailedStatus=true") {
							return 0, ""
						}
						if requests++; c.refused {
							return 400, `{"error":{"code":"x","detail":"unknown parameter"},"status":400}`
						}
						return 0, ""
					}
				})
				event := w.key(lifecycle.LiveAPIEvent, "match")
				w.mkio.Create(event, "Starting")
				w.start(lifecycle.LiveAPIEvent)
				time.Sleep(2 * sweep)
				w.mkio.Move(event, "UnableToStart")
				time.Sleep(2 * full)
				w.wantStates(event, "Starting", "UnableToStart")
				errs := w.events()[event][1].Data.Errors
				if c.refused {
					if len(errs) != 0 {
						t.Errorf("errors %+v", errs)
					}
				} else if len(errs) != 1 || !strings.Contains(errs[0].Message, "does not match the configured inputs") {
					t.Errorf("errors %+v", errs)
				}
				const most = 2 // an active poll and a sweep may see the failure at the same moment
				if requests > 0 != c.noInfo || requests > most {
					t.Errorf("%d detailed requests", requests)
				}
			})
		})
	}
}
