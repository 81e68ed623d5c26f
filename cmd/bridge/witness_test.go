package main

import (
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A judge that finds nothing must prove that it can: the log has a job Processing that MK.IO never had.
func TestTheWitnessFindsWhatWasNot(t *testing.T) {
	b := openForTest(t)
	fake := mkiofake.New(mkiofake.Config{})
	if err := asItWas(t.Context(), b, fake); err == nil || !strings.Contains(err.Error(), "I5: job aurora-vod/ladder-hd/ep-0417") {
		t.Errorf("found %v", err)
	}
	other, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "else")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(other, "Queued")
	if err := converged(t.Context(), b, fake); err == nil || !strings.Contains(err.Error(), "the log does not have it") {
		t.Errorf("found %v", err)
	}
}
