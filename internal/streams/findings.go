package streams

import (
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// findings has the results of the last surveys. JetStream's API has one queue for all clients, readers as well, and responds
// late or never while that is full: a missing response leaves the former result of a stream.
type findings struct {
	config Config

	mu        sync.Mutex       // guards the fields below
	anySurvey bool             // at least one survey has ended
	streams   map[string]error // the problem of each stream, as of its last response; nil: none
	logErr    error            // why the log must not be written though it exists
	writeErr  error            // why the last probe could not write
}

// A condition is a summary of the findings.
type condition struct {
	missing    []string // names of streams
	streamErrs []error  // problems of the streams beside logErr, which do not stop writes
	logErr     error    // why the log must not be written: it was replaced, or it or the state bucket is missing
	writeErr   error    // why the last probe could not write
}

// condition summarizes the findings, in the order of the streams. The log must not be written while the state bucket is
// missing, because only the bucket has the states of resources whose events have aged out.
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

// streamsErr returns all problems of the streams themselves; nil: none.
func (c condition) streamsErr() error {
	if c.logErr != nil {
		return joinErrors(append(c.streamErrs, c.logErr))
	}
	return joinErrors(c.streamErrs)
}

// err returns all problems: those of the streams, and why the last probe could not write, unless logErr explains that.
func (c condition) err() error {
	if c.logErr != nil || c.writeErr == nil {
		return c.streamsErr()
	}
	return joinErrors(append(c.streamErrs, c.writeErr))
}

// multiError is several errors, in one line.
type multiError []error

// joinErrors returns errors as one; nil if there is none.
func joinErrors(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return multiError(errs)
}

func (s multiError) Error() string {
	texts := make([]string, len(s))
	for i, err := range s {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; also: ")
}

func (s multiError) Unwrap() []error { return s }

// record stores the result of each stream that JetStream responded about; the others keep their former result.
func (f *findings) record(errs map[string]error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.anySurvey = true
	if f.streams == nil {
		f.streams = map[string]error{}
	}
	maps.Copy(f.streams, errs)
}

func (f *findings) recordLog(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logErr = err
}

func (f *findings) recordWrites(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writeErr = err
}

func (f *findings) surveyed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.anySurvey
}
