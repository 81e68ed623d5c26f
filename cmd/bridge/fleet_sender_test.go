package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/mkio"
)

// twins is the chance that a delivery is sent to two bridges at once.
const twins = 0.4

// RoundTrip sends a delivery to the bridges in turn, and some to two of them.
func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	f.mu.Lock()
	f.turn++
	to, twin := f.turn, f.rng.Float64() < twins
	f.recent = append(f.recent, r)[max(0, len(f.recent)+1-stormSize):]
	f.mu.Unlock()
	if twin {
		f.count("delivery sent to two bridges")
		f.work.Go(func() { _, _ = f.send(r, to+1) })
	}
	return f.send(r, to)
}

type recipient struct{}

// send sends a delivery to one bridge, by way of the witness.
func (f *fleet) send(r *http.Request, to int) (*http.Response, error) {
	f.mu.Lock()
	i := f.instances[to%len(f.instances)]
	f.mu.Unlock()
	copied := r.Clone(context.WithValue(r.Context(), recipient{}, i))
	copied.Body, _ = r.GetBody() // it cannot fail
	answer, err := f.told.RoundTrip(copied)
	if err == nil && answer.StatusCode == http.StatusNoContent {
		f.checkStored(r)
	}
	return answer, err
}

// checkStored holds a bridge to its answer at once: later a poll may have shown again what was lost.
func (f *fleet) checkStored(r *http.Request) {
	body, _ := r.GetBody()
	content, _ := io.ReadAll(body) // neither can fail
	o, err := mkio.Decoder{}.Decode(content, time.Now())
	if err != nil {
		f.t.Error(err)
		return
	}
	log, err := f.js.Stream(f.life, f.names.EventStream())
	if err != nil {
		return // NATS is away
	}
	_, err = log.GetLastMsgForSubject(f.life, f.names.Subject(f.names.Resource(o.Key), o.State))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		f.t.Errorf("%s %q is answered 204 and not in the log", o.Key, o.State)
	}
}

// passOn is what comes behind the witness.
type passOn struct{}

func (passOn) RoundTrip(r *http.Request) (*http.Response, error) {
	i, _ := r.Context().Value(recipient{}).(*instance)
	return i.deliver(r)
}

// stormSize is how many deliveries come at once in a storm.
const stormSize = 40

// storm sends the latest deliveries again, all to all bridges at once.
func (f *fleet) storm() {
	f.mu.Lock()
	recent := f.recent
	f.mu.Unlock()
	for _, r := range recent {
		for to := range f.instances {
			f.work.Go(func() {
				ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
				defer cancel()
				_, _ = f.send(r.WithContext(ctx), to)
			})
		}
	}
}
