// Package oracle checks the log of a bridge against the simulated MK.IO that it ran with. A [Recorder] records the
// deliveries and the bridge's responses (recorder.go); the simulation has the true states and their times. Its checks
// (check.go) find events that contradict them, and exempt the events that the bridge had no evidence against (exemption.go).
package oracle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A Recorder is an HTTP transport of a simulated MK.IO that records deliveries and responses. It records equal deliveries
// with equal responses once.
type Recorder struct {
	// OtherClocks says that bridges may run on other clocks than the simulation: their recorded times are not checked then.
	OtherClocks bool

	next http.RoundTripper

	mu         sync.Mutex
	delivered  map[deliveryKey]invariant.Delivered
	statuses   map[int]int
	exemptions []Exemption
}

// A deliveryKey identifies equal deliveries with equal responses.
type deliveryKey struct {
	key                       lifecycle.Key
	state, life, provisioning string
	digest                    string // only of a body that should be in MKIO_UNAPPLIED
	status                    int
}

// New returns a recorder in front of another transport.
func New(next http.RoundTripper) *Recorder {
	return &Recorder{next: next, delivered: map[deliveryKey]invariant.Delivered{}, statuses: map[int]int{}}
}

// RoundTrip sends a delivery, and records it with its response.
func (rec *Recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	response, err := rec.next.RoundTrip(r)
	o, decodeErr := mkio.Decoder{Resource: mkio.ResourceNone}.Decode(body, time.Now())
	if err != nil || decodeErr != nil {
		rec.record(invariant.Delivered{Observation: o})
		return response, errors.Join(err, decodeErr)
	}
	digest := sha256.Sum256(body)
	rec.record(invariant.Delivered{Observation: o, Digest: hex.EncodeToString(digest[:]), Status: response.StatusCode})
	return response, nil
}

func (rec *Recorder) record(t invariant.Delivered) {
	o := t.Observation
	t.Observation = lifecycle.Observation{Key: o.Key, State: o.State, Life: o.Life, Provisioning: o.Provisioning}
	key := deliveryKey{o.Key, o.State, o.Life, o.Provisioning, "", t.Status}
	if t.Status == http.StatusAccepted || t.Status == http.StatusBadRequest {
		key.digest = t.Digest
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.statuses[t.Status]++
	if t.Status != 0 {
		rec.delivered[key] = t
	}
}

// Statuses returns the number of responses by status; 0: no response.
func (rec *Recorder) Statuses() map[int]int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return maps.Clone(rec.statuses)
}

// Delivered returns the recorded deliveries.
func (rec *Recorder) Delivered() []invariant.Delivered {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	deliveries := make([]invariant.Delivered, 0, len(rec.delivered))
	for _, t := range rec.delivered {
		deliveries = append(deliveries, t)
	}
	return deliveries
}
