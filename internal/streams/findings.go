package streams

import (
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// findings are what is known of the streams. JetStream's API has one queue for all who ask, readers as well, and answers
// late or never while that is full: an answer that does not come changes nothing here.
type findings struct {
	config Config

	mu      sync.Mutex       // guards what follows
	made    bool             // at least one survey has ended
	streams map[string]error // what is wrong with each; nil: nothing, as far as was answered
	log     error            // why the log must not be written though it is there
	writes  error            // why the last probe could not write
}

// A condition sums the findings up.
type condition struct {
	missing []string // streams
	unfit   []error  // what of the streams is not as it must be, and may still take writes
	log     error    // why the log must not be written
	writes  error    // why the last probe could not write
}

// condition returns what was answered about the streams, in their order. The log and the state bucket must be there:
// without the bucket nobody knows what has aged out.
func (f *findings) condition() condition {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := condition{log: f.log, writes: f.writes}
	for _, want := range f.config.all() {
		err := f.streams[want.Name]
		missing := errors.Is(err, jetstream.ErrStreamNotFound)
		if missing {
			c.missing = append(c.missing, want.Name)
		}
		needed := want.Name == f.config.Names.EventStream() || want.Name == f.config.Names.StateStream()
		switch {
		case err == nil:
		case missing && needed && c.log == nil:
			c.log = err
		default:
			c.unfit = append(c.unfit, err)
		}
	}
	return c
}

// ofStreams is all that is wrong with the streams themselves; nil: nothing is.
func (c condition) ofStreams() error {
	if c.log != nil {
		return joined(append(c.unfit, c.log))
	}
	return joined(c.unfit)
}

// whole is all that is wrong, and so why nothing can be written as well.
func (c condition) whole() error {
	if c.log != nil || c.writes == nil {
		return c.ofStreams()
	}
	return joined(append(c.unfit, c.writes))
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
	f.made = true
	if f.streams == nil {
		f.streams = map[string]error{}
	}
	maps.Copy(f.streams, wrong)
}

func (f *findings) noteLog(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = err
}

func (f *findings) noteWrites(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = err
}

func (f *findings) surveyed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}
