package broker

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

func TestReadersOverThePendingLimitAreDisconnected(t *testing.T) {
	for name, c := range map[string]struct {
		pending []int // in descending order
		want    int   // how many of the first are disconnected
	}{
		"no readers":                  {nil, 0},
		"few bytes":                   {[]int{1000, 0, 0}, 0},
		"two over the limit":          {[]int{2 * maxReaderPending, maxReaderPending + 1, maxReaderPending}, 2},
		"all together over the limit": {slices.Repeat([]int{maxReadersPending / 10}, 13), 3},
	} {
		var conns []*server.ConnInfo
		for _, n := range c.pending {
			conns = append(conns, &server.ConnInfo{Pending: n})
		}
		if got := overLimit(conns); len(got) != c.want {
			t.Errorf("%s: %d are disconnected, want %d", name, len(got), c.want)
		}
	}
}

func TestPushConsumersAreRateLimited(t *testing.T) {
	for request, want := range map[string]struct {
		rate   float64
		pushes bool
	}{
		`{"stream_name":"S","config":{"deliver_subject":"_INBOX.a"}}`:                                   {pushRate * 8, true},
		`{"stream_name":"S","config":{"deliver_subject":"_INBOX.a","flow_control":true}}`:               {flowControlPushRate * 8, true},
		`{"stream_name":"S","config":{"deliver_subject":"_INBOX.a","rate_limit_bps":1000}}`:             {1000, true},
		`{"stream_name":"S","config":{"deliver_subject":"_INBOX.a","rate_limit_bps":9000000000000000}}`: {pushRate * 8, true},
		`{"stream_name":"S","config":{"durable_name":"d"}}`:                                             {0, false},
		`{"stream_name":"S","config":{"durable_name":"d","deliver_subject":""}}`:                        {0, false},
		`{"stream_name":"S"}`: {0, false},
		`nonsense`:            {0, false},
	} {
		got, pushes := limitPush([]byte(request))
		var made struct {
			Stream string `json:"stream_name"`
			Config struct {
				Rate float64 `json:"rate_limit_bps"`
			} `json:"config"`
		}
		_ = json.Unmarshal(got, &made) // invalid JSON is unchanged
		if pushes != want.pushes || made.Config.Rate != want.rate || made.Stream != "S" && request != "nonsense" || !pushes && string(got) != request {
			t.Errorf("%s becomes %s, pushes %v", request, got, pushes)
		}
	}
}

func TestBatchOf(t *testing.T) {
	for request, want := range map[string]int{"": 1, "7": 7, `{"batch":500,"expires":1000}`: 500, `{"no_wait":true}`: 1, "-3": 1, "x": 1} {
		if got := batchOf([]byte(request)); got != want {
			t.Errorf("%q requests %d, want %d", request, got, want)
		}
	}
}
