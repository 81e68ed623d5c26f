package publish

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/noanswer"
)

// A StreamState says how a stream was found.
type StreamState struct {
	Name    string
	Missing bool
	Unfit   bool  // it is there, and not as the bridge needs it
	Err     error // what is wrong with it, or why that is not known; nil when it is as the bridge needs it
}

// Verify looks at each stream, as Ensure does, and changes nothing.
func Verify(ctx context.Context, js jetstream.JetStream, s Streams) []StreamState {
	var all []StreamState
	s.Create = false
	for _, want := range s.all() {
		state := StreamState{Name: want.Name}
		state.Err = ensureAlone(ctx, js, want, s)
		state.Missing = errors.Is(state.Err, jetstream.ErrStreamNotFound)
		_, state.Unfit = errors.AsType[unfit](state.Err)
		all = append(all, state)
	}
	return all
}

// probeSubject is what a try to write is published on, below a stream's prefix.
const probeSubject = "doctor.none.none.none"

// TryWrites says whether this connection may write all that a bridge writes, and remove what it retries. Nothing is
// written, and nothing removed.
func TryWrites(ctx context.Context, js jetstream.JetStream, s Streams) error {
	n := s.Names
	for _, try := range []struct{ stream, subject string }{
		{n.EventStream(), n.Prefix() + "." + probeSubject},
		{n.UnappliedStream(), n.UnappliedPrefix() + "." + probeSubject},
		{n.AuditStream(), n.AuditPrefix() + "." + probeSubject},
		{"KV_" + n.LeaseBucket(), "$KV." + n.LeaseBucket() + "." + probeSubject},
		{"KV_" + n.NotesBucket(), "$KV." + n.NotesBucket() + "." + probeSubject},
	} {
		trying, stop := noanswer.UntilForbidden(ctx, js.Conn(), try.subject)
		err := tryPublish(trying, js, try.stream, try.subject)
		stop()
		if err != nil {
			return err
		}
	}
	return tryDrop(ctx, js, n.UnappliedStream())
}

// tryDrop asks a stream to delete what it cannot have: only who may delete is told so.
func tryDrop(ctx context.Context, js jetstream.JetStream, name string) error {
	trying, stop := noanswer.UntilForbidden(ctx, js.Conn(), name)
	defer stop()
	stream, err := js.Stream(trying, name)
	if err == nil {
		err = stream.DeleteMsg(trying, math.MaxInt64)
	}
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) && !strings.Contains(err.Error(), "not permitted") {
		return nil
	}
	return fmt.Errorf("try to delete from %s, as a retry does: %w", name, noanswer.Why(ctx, js, err, name))
}

// TryPublish says whether this connection may write to the log, and whether the log has a leader. Nothing is
// written. Those who subscribe to the log's subjects without JetStream see an empty message of no kind, with the header Mkio-Probe.
func TryPublish(ctx context.Context, js jetstream.JetStream, s Streams) error {
	return tryPublish(ctx, js, s.Names.EventStream(), s.Names.Prefix()+"."+probeSubject)
}

// tryPublish asks a stream for what it must refuse, an expected sequence that none reaches: only who may write is
// refused for that, and only by a leader.
func tryPublish(ctx context.Context, js jetstream.JetStream, stream, subject string) error {
	_, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: nats.Header{event.HeaderProbe: {"write"}}},
		jetstream.WithExpectStream(stream), jetstream.WithExpectLastSequencePerSubject(math.MaxInt64), jetstream.WithRetryAttempts(0))
	switch {
	case conflicted(err):
		return nil
	case err == nil:
		return fmt.Errorf("stream %s does not check the sequence that a write expects", stream)
	}
	if forbidden := noanswer.Forbidden(js.Conn(), err, subject); errors.As(forbidden, new(*noanswer.Error)) {
		return fmt.Errorf("try to write to %s: %w", stream, forbidden)
	}
	return fmt.Errorf("try to write to %s: %w: the stream has no leader, or the bridge's user may not publish to its subjects", stream, err)
}
