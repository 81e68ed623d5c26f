package lifecycle_test

import (
	"testing"

	. "mkio-bridge/internal/lifecycle"
)

func TestPhases(t *testing.T) {
	tests := []struct {
		kind         Kind
		state        string
		provisioning string
		want         Phase
	}{
		{Job, "Queued", "", Initial},
		{Job, "Scheduled", "", Transitional},
		{Job, "processing", "", Transitional},
		{Job, "Canceling", "", Transitional},
		{Job, "Finished", "", Succeeded},
		{Job, "Error", "", Failed},
		{Job, "Canceled", "", Canceled},
		{Asset, "Pending", "", Initial},
		{Asset, "Ready", "", Ready},
		{ContentKeyPolicy, "Created", "", Ready},
		{StreamingLocator, "Created", "Succeeded", Ready},
		{StreamingLocator, "Created", "Failed", Failed},
		{StreamingEndpoint, "Created", "", Resting},
		{StreamingEndpoint, "Scaling", "", Transitional},
		{LiveEvent, "StandBy", "", Resting},
		{LiveEvent, "Allocating", "", Initial},
		{LiveOutput, "Running", "InProgress", Ready},
		{LiveChannel, "", "", Initial},
		{LiveAPIEvent, "UnableToStart", "", Failed},
		{StaticMultiviewEvent, "Pending", "", Initial},
		{ScheduledOperation, "Accepted", "", Transitional},
		{ScheduledOperation, "Completed", "", Succeeded},
		{ScheduledOperation, "Errored", "", Failed},
		{Storage, "", "", Resting},
		{Storage, "", "Failed", Failed},
		{Storage, "Pending", "", Initial},
		{Storage, "running", "", Ready},
		{Storage, "Deleting", "", Deleting},
		{Source, "Active", "", Ready},
		{Destination, "Inactive", "", Resting},
		{ChannelInstance, "Running", "", Ready},
		{Asset, "Deleting", "", Deleting},
		{Asset, "Deleted", "", Gone},
		{LiveEvent, "Deleted", "Failed", Gone},
		{Job, "Running", "", Unknown},
		{Asset, "Hibernating", "", Unknown},
		{Asset, "Hibernating", "Failed", Failed},
	}
	for _, tt := range tests {
		if got := PhaseOf(tt.kind, tt.state, tt.provisioning); got != tt.want {
			t.Errorf("%s %q (provisioning %q): phase %s, want %s", tt.kind, tt.state, tt.provisioning, got, tt.want)
		}
	}
}

func TestEveryListedStateHasAPhase(t *testing.T) {
	for _, kind := range Kinds() {
		for _, s := range States(kind) {
			if got := PhaseOf(kind, s.State, ""); got != s.Phase || got == Unknown {
				t.Errorf("%s %q: phase %s, listed as %s", kind, s.State, got, s.Phase)
			}
		}
	}
}

func TestNewKeyRefusesInvalidNames(t *testing.T) {
	tests := []struct {
		kind    Kind
		project string
		names   []string
	}{
		{"cassette", "p", []string{"n"}},
		{Job, "p", []string{"n"}},
		{Asset, "p", []string{"t", "n"}},
		{Asset, "p", nil},
		{Asset, "", []string{"n"}},
		{Job, "p", []string{"", "n"}},
	}
	for _, tt := range tests {
		if k, err := NewKey(tt.kind, tt.project, tt.names...); err == nil {
			t.Errorf("NewKey(%q, %q, %q) = %s", tt.kind, tt.project, tt.names, k)
		}
	}
	k, err := NewKey(ScheduledOperation, "p", "live-channel", "news", "window")
	if err != nil || k.Name() != "window" || len(k.Names()) != 3 || k.String() != "scheduled-operation p/live-channel/news/window" {
		t.Errorf("NewKey = %s, %v", k, err)
	}
}
