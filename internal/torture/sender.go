package torture

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mkio-bridge/internal/oracle"
)

// A sender sends MK.IO's deliveries to the bridges in turn, as a load balancer does, and some to two at once.
type sender struct {
	oracle         *oracle.Recorder
	bridges        []*bridge
	duplicateShare float64 // share of deliveries that go to two bridges
	next           atomic.Uint64

	mu  sync.Mutex
	rng *rand.Rand
}

// responseTimeout is how long a sender waits for a response.
const responseTimeout = 4 * time.Second

func newSender(seed uint64, duplicateShare float64) *sender {
	transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true, ResponseHeaderTimeout: responseTimeout, IdleConnTimeout: time.Minute}
	return &sender{oracle: oracle.New(transport), duplicateShare: duplicateShare, rng: rand.New(rand.NewPCG(seed, 2))}
}

// RoundTrip sends a delivery to the next bridge.
func (s *sender) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var duplicate sync.WaitGroup
	if s.drawn(s.duplicateShare) {
		duplicate.Go(func() {
			if response, err := s.send(r, body); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	response, err := s.send(r, body)
	duplicate.Wait()
	return response, err
}

func (s *sender) send(r *http.Request, body []byte) (*http.Response, error) {
	to := s.bridges[s.next.Add(1)%uint64(len(s.bridges))]
	clone := r.Clone(r.Context())
	clone.URL.Host, clone.Host = to.inbound.addr(), ""
	clone.Body = io.NopCloser(bytes.NewReader(body))
	return s.oracle.RoundTrip(clone)
}

func (s *sender) drawn(chance float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Float64() < chance
}

// deliveries returns how many were sent.
func (s *sender) deliveries() int {
	all := 0
	for _, n := range s.oracle.Statuses() {
		all += n
	}
	return all
}
