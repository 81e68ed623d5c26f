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

// A sender brings MK.IO's deliveries to the bridges in turn, as a load balancer does, and some to two at once.
type sender struct {
	oracle  *oracle.Recorder
	bridges []*bridge
	twins   float64 // how many of 1 go to two bridges
	next    atomic.Uint64

	mu  sync.Mutex
	rng *rand.Rand
}

// deliveryTime is how long a sender waits for an answer.
const deliveryTime = 4 * time.Second

func newSender(seed uint64, twins float64) *sender {
	transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true, ResponseHeaderTimeout: deliveryTime, IdleConnTimeout: time.Minute}
	return &sender{oracle: oracle.New(transport), twins: twins, rng: rand.New(rand.NewPCG(seed, 2))}
}

// RoundTrip sends a delivery to the next bridge.
func (s *sender) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var twin sync.WaitGroup
	if s.drawn(s.twins) {
		twin.Go(func() {
			if answer, err := s.send(r, body); err == nil {
				_ = answer.Body.Close()
			}
		})
	}
	answer, err := s.send(r, body)
	twin.Wait()
	return answer, err
}

func (s *sender) send(r *http.Request, body []byte) (*http.Response, error) {
	to := s.bridges[s.next.Add(1)%uint64(len(s.bridges))]
	again := r.Clone(r.Context())
	again.URL.Host, again.Host = to.inbound.addr(), ""
	again.Body = io.NopCloser(bytes.NewReader(body))
	return s.oracle.RoundTrip(again)
}

func (s *sender) drawn(chance float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Float64() < chance
}

// deliveries is how many were sent.
func (s *sender) deliveries() int {
	all := 0
	for _, n := range s.oracle.Answers() {
		all += n
	}
	return all
}
