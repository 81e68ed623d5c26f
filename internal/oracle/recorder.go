// Package oracle watches a simulated MK.IO and a bridge, and judges the bridge by what it saw: what was told and how
// it was answered, what was true and when. The simulation is the truth; the log is the testimony.
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

// A Witness is a transport of a simulated MK.IO's deliveries that remembers what was told, and how it was answered.
// What was told and answered alike many times is remembered once.
type Recorder struct {
	// OtherClocks says that bridges may run on other clocks than the simulation: when they recorded an event proves
	// nothing then.
	OtherClocks bool

	to http.RoundTripper

	mu      sync.Mutex
	told    map[said]invariant.Delivered
	answers map[int]int
	excuses []Excuse
}

// said is what two deliveries share that mean the same to the judge.
type said struct {
	key                       lifecycle.Key
	state, life, provisioning string
	digest                    string // where the body itself was to be kept
	status                    int
}

// New returns a recorder of what goes to another transport.
func New(to http.RoundTripper) *Recorder {
	return &Recorder{to: to, told: map[said]invariant.Delivered{}, answers: map[int]int{}}
}

// RoundTrip makes a delivery.
func (w *Recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := w.to.RoundTrip(r)
	o, decodeErr := mkio.Decoder{Resource: mkio.ResourceNone}.Decode(body, time.Now())
	if err != nil || decodeErr != nil {
		w.note(invariant.Delivered{Observation: o})
		return answer, errors.Join(err, decodeErr)
	}
	digest := sha256.Sum256(body)
	w.note(invariant.Delivered{Observation: o, Digest: hex.EncodeToString(digest[:]), Status: answer.StatusCode})
	return answer, nil
}

func (w *Recorder) note(t invariant.Delivered) {
	o := t.Observation
	t.Observation = lifecycle.Observation{Key: o.Key, State: o.State, Life: o.Life, Provisioning: o.Provisioning}
	as := said{o.Key, o.State, o.Life, o.Provisioning, "", t.Status}
	if t.Status == http.StatusAccepted || t.Status == http.StatusBadRequest {
		as.digest = t.Digest
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[t.Status]++
	if t.Status != 0 {
		w.told[as] = t
	}
}

// Answers counts the answers by status; 0 is for none.
func (w *Recorder) Answers() map[int]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.answers)
}

// Told returns what was told and answered, each fact and answer once.
func (w *Recorder) Delivered() []invariant.Delivered {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := make([]invariant.Delivered, 0, len(w.told))
	for _, t := range w.told {
		told = append(told, t)
	}
	return told
}
