package main

import (
	"strings"
	"testing"
	"time"
)

// A server tells no client how long its queues may get: its version and a late answer are what can be seen.
func TestDoctorSaysWhatItSeesOfTheQueueOfJetStreamsAPI(t *testing.T) {
	tests := []struct {
		name, version string
		took          time.Duration
		want          string
	}{
		{"a server that can bound it", "2.15.2", time.Millisecond, "ok       JetStream API queue: an answer took 1ms"},
		{"a server with one queue", "2.12.4", time.Millisecond, "warning  JetStream API queue: server 2.12.4 has one queue"},
		{"a queue that is long", "2.15.2", 4 * time.Second, "warning  JetStream API queue: an answer took 4s"},
		{"a version that cannot be read", "next", time.Millisecond, "ok       JetStream API queue"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			d := &doctor{call: &call{stdout: &out}}
			d.checkQueue(tt.version, tt.took)
			if !strings.HasPrefix(out.String(), tt.want) || !strings.Contains(out.String(), "info_queue_limit: 256") {
				t.Errorf("it says %s", out.String())
			}
		})
	}
}
