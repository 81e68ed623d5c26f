package streams

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

// A State says how a stream was found.
type State struct {
	Name    string
	Missing bool
	Unfit   bool  // it exists, and is not as the bridge needs it
	Err     error // what is wrong with it, or why that is not known; nil when it is as the bridge needs it
}

// Verify checks each stream as [Ensure] does, and creates none. It goes on after an error.
func Verify(ctx context.Context, js jetstream.JetStream, c Config) []State {
	var all []State
	c.Create = false
	for _, want := range c.all() {
		state := State{Name: want.Name}
		state.Err = ensureAlone(ctx, js, want, c)
		state.Missing = errors.Is(state.Err, jetstream.ErrStreamNotFound)
		_, state.Unfit = errors.AsType[unfit](state.Err)
		all = append(all, state)
	}
	return all
}

// ProbeSubject is the subject that a try to write is published on, below the prefix of a stream's subjects. It has the form of
// an event's subject, since the stream must take it; no resource is of kind doctor.
func ProbeSubject(prefix string) string { return prefix + ".doctor.none.none.none" }

// TryWrites says whether this connection may write all that a bridge writes, and remove what it retries. Nothing is
// written, and nothing removed.
func TryWrites(ctx context.Context, js jetstream.JetStream, c Config) error {
	n := c.Names
	for _, try := range []struct{ stream, prefix string }{
		{n.EventStream(), n.Prefix()},
		{n.UnappliedStream(), n.UnappliedPrefix()},
		{n.AuditStream(), n.AuditPrefix()},
		{"KV_" + n.LeaseBucket(), "$KV." + n.LeaseBucket()},
		{"KV_" + n.NotesBucket(), "$KV." + n.NotesBucket()},
	} {
		trying, stop := noanswer.UntilForbidden(ctx, js.Conn(), ProbeSubject(try.prefix))
		err := TryWrite(trying, js, try.stream, try.prefix)
		stop()
		if err != nil {
			return err
		}
	}
	return tryDelete(ctx, js, n.UnappliedStream())
}

// tryDelete asks a stream to delete a message that it cannot have. The answer that there is none proves the right to delete.
func tryDelete(ctx context.Context, js jetstream.JetStream, name string) error {
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

// TryWrite publishes with an expected sequence that none reaches, which the stream must refuse. That refusal proves that the
// user may publish to its subjects and that the stream has a leader. Nothing is written. Those who subscribe to the subjects
// without JetStream see an empty message of no kind, with the header Mkio-Probe.
func TryWrite(ctx context.Context, js jetstream.JetStream, stream, prefix string) error {
	subject := ProbeSubject(prefix)
	_, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: nats.Header{event.HeaderProbe: {"write"}}},
		jetstream.WithExpectStream(stream), jetstream.WithExpectLastSequencePerSubject(math.MaxInt64), jetstream.WithRetryAttempts(0))
	switch {
	case Conflicted(err):
		return nil
	case err == nil:
		return fmt.Errorf("stream %s does not check the sequence that a write expects", stream)
	}
	if forbidden := noanswer.Forbidden(js.Conn(), err, subject); errors.As(forbidden, new(*noanswer.Error)) {
		return fmt.Errorf("try to write to %s: %w", stream, forbidden)
	}
	return fmt.Errorf("try to write to %s: %w: the stream has no leader, or the bridge's user may not publish to its subjects", stream, err)
}
