package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A server does not report its queue limit: only its version and its response time are known.
func TestJetStreamAPIQueue(t *testing.T) {
	tests := []struct {
		name, version string
		took          time.Duration
		level         Level
		code          Code
		found         string
	}{
		{"a server with a queue limit", "2.15.2", time.Millisecond, OK, QueueUnknown, "a response took 1ms"},
		{"a server with one queue", "2.12.4", time.Millisecond, Warning, QueueShared, "server 2.12.4 has one queue"},
		{"a queue that is long", "2.15.2", 4 * time.Second, Warning, QueueLong, "slow: a response took 4s"},
		{"an unknown version", "next", time.Millisecond, OK, QueueUnknown, "a response took 1ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := judgeQueue(tt.version, tt.took)
			if f.Check != "JetStream API queue" || f.Level != tt.level || !slices.Equal(f.Codes, []Code{tt.code}) || !strings.HasPrefix(f.Found, tt.found) {
				t.Errorf("finding %+v", f)
			}
		})
	}
}

func TestServerVersions(t *testing.T) {
	for version, want := range map[string]Level{"2.11.9": Failed, "2.12.0": OK, "2.15.2": OK, "3.0.0-dev": OK, "1.99.0": Failed, "next": Warning} {
		if f := judgeVersion(version); f.Level != want {
			t.Errorf("%s: %+v", version, f)
		}
	}
}
