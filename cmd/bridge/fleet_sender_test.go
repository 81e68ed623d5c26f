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

// duplicateChance is the probability that a delivery is sent to two bridges at once.
const duplicateChance = 0.4

// RoundTrip sends deliveries to the bridges round-robin, and some to two of them.
func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	f.mu.Lock()
	f.nextInstance++
	to, duplicate := f.nextInstance, f.rng.Float64() < duplicateChance
	f.recent = append(f.recent, r)[max(0, len(f.recent)+1-stormSize):]
	f.mu.Unlock()
	if duplicate {
		f.count("delivery sent to two bridges")
		f.goroutines.Go(func() { _, _ = f.send(r, to+1) })
	}
	return f.send(r, to)
}

type recipient struct{}

// send sends a delivery to one bridge, through the recorder.
func (f *fleet) send(r *http.Request, to int) (*http.Response, error) {
	f.mu.Lock()
	i := f.instances[to%len(f.instances)]
	f.mu.Unlock()
	copied := r.Clone(context.WithValue(r.Context(), recipient{}, i))
	copied.Body, _ = r.GetBody() // it cannot fail
	response, err := f.recorder.RoundTrip(copied)
	if err == nil && response.StatusCode == http.StatusNoContent {
		f.checkStored(r)
	}
	return response, err
}

// checkStored checks at once that a delivery that got 204 is in the log: later, a poll might have recovered a lost one.
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
		return // JetStream is down
	}
	_, err = log.GetLastMsgForSubject(f.life, f.names.Subject(f.names.Resource(o.Key), o.State))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		f.t.Errorf("%s %q got 204 and is not in the log", o.Key, o.State)
	}
}

// forwarder is the recorder's transport: it sends a request to the bridge in its context.
type forwarder struct{}

func (forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	i, _ := r.Context().Value(recipient{}).(*instance)
	return i.deliver(r)
}

// stormSize is the number of deliveries in a storm.
const stormSize = 40

// storm resends the latest deliveries, each to all bridges at once.
func (f *fleet) storm() {
	f.mu.Lock()
	recent := f.recent
	f.mu.Unlock()
	for _, r := range recent {
		for to := range f.instances {
			f.goroutines.Go(func() {
				ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
				defer cancel()
				_, _ = f.send(r.WithContext(ctx), to)
			})
		}
	}
}
