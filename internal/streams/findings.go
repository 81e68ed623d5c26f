package streams

import (
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// findings are what is known of the streams, kept from one survey to the next. JetStream's API has one queue for all
// clients, readers as well, and answers late or never while that is full: an answer that does not come changes nothing here.
type findings struct {
	config Config

	mu       sync.Mutex       // guards what follows
	noted    bool             // at least one survey has ended
	streams  map[string]error // what is wrong with each; nil: nothing, as far as was answered
	logErr   error            // why the log must not be written though it exists
	writeErr error            // why the last probe could not write
}

// A condition is a summary of the findings.
type condition struct {
	missing    []string // names of streams
	streamErrs []error  // what else than logErr is wrong with the streams: by itself it stops no writes
	logErr     error    // why the log must not be written: it is another one, or it or the state bucket is missing
	writeErr   error    // why the last probe could not write
}

// condition sums up, in the order of the streams. The log must not be written without the log or the state bucket: without
// the bucket the state of a resource whose events have aged out is not known.
func (f *findings) condition() condition {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := condition{logErr: f.logErr, writeErr: f.writeErr}
	for _, want := range f.config.all() {
		err := f.streams[want.Name]
		missing := errors.Is(err, jetstream.ErrStreamNotFound)
		if missing {
			c.missing = append(c.missing, want.Name)
		}
		needed := want.Name == f.config.Names.EventStream() || want.Name == f.config.Names.StateStream()
		switch {
		case err == nil:
		case missing && needed && c.logErr == nil:
			c.logErr = err
		default:
			c.streamErrs = append(c.streamErrs, err)
		}
	}
	return c
}

// ofStreams is all that is wrong with the streams themselves; nil: nothing is.
func (c condition) ofStreams() error {
	if c.logErr != nil {
		return joined(append(c.streamErrs, c.logErr))
	}
	return joined(c.streamErrs)
}

// all is all that is wrong: with the streams, and why the last probe could not write, unless logErr explains that already.
func (c condition) all() error {
	if c.logErr != nil || c.writeErr == nil {
		return c.ofStreams()
	}
	return joined(append(c.streamErrs, c.writeErr))
}

// several is more than one error, in one line.
type several []error

// joined returns errors as one; nil where there is none.
func joined(all []error) error {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return several(all)
}

func (s several) Error() string {
	words := make([]string, len(s))
	for i, err := range s {
		words[i] = err.Error()
	}
	return strings.Join(words, "; besides, ")
}

func (s several) Unwrap() []error { return s }

// note records what JetStream answered; what it did not answer stays as it was.
func (f *findings) note(wrong map[string]error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noted = true
	if f.streams == nil {
		f.streams = map[string]error{}
	}
	maps.Copy(f.streams, wrong)
}

func (f *findings) noteLog(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logErr = err
}

func (f *findings) noteWrites(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writeErr = err
}

func (f *findings) surveyed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.noted
}
