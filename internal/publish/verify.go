package publish

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/nats-io/nats.go/jetstream"
)

// A StreamState says how a stream was found.
type StreamState struct {
	Name    string
	Missing bool
	Err     error // what is wrong with it; nil when it is as the bridge needs it
}

// Verify looks at each stream, as Ensure does, and changes nothing.
func Verify(ctx context.Context, js jetstream.JetStream, s Streams) []StreamState {
	var all []StreamState
	for _, want := range s.all() {
		state := StreamState{Name: want.Name}
		_, err := js.Stream(ctx, want.Name)
		state.Missing = errors.Is(err, jetstream.ErrStreamNotFound)
		state.Err = ensure(ctx, js, want, false)
		all = append(all, state)
	}
	return all
}

// TryPublish says whether this connection may write to the log. It asks for what JetStream must refuse, an
// expected sequence that no log reaches, so that nothing is written: only who may write is refused for that. Those who subscribe without JetStream see an
// empty message of no kind.
func TryPublish(ctx context.Context, js jetstream.JetStream, s Streams) error {
	subject := s.Names.Prefix() + ".doctor.none.none.none"
	_, err := js.Publish(ctx, subject, nil,
		jetstream.WithExpectStream(s.Names.EventStream()), jetstream.WithExpectLastSequencePerSubject(math.MaxInt64))
	switch {
	case refused(err, jetstream.JSErrCodeStreamWrongLastSequence):
		return nil
	case err == nil:
		return fmt.Errorf("stream %s does not check the sequence that a write expects", s.Names.EventStream())
	}
	return fmt.Errorf("publish to %s: %w", s.Names.EventSubjects(), err)
}
