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

// A State is the result of verifying a stream.
type State struct {
	Name         string
	Missing      bool
	Incompatible bool  // it exists with settings that the bridge cannot use
	Optional     bool  // the bridge works without it
	Err          error // the problem, or why the check failed; nil: none
}

// Verify checks each stream as [Ensure] does, the optional ones too, and creates none. It continues after an error.
func Verify(ctx context.Context, js jetstream.JetStream, c Config) []State {
	c.Create = false
	check := func(want jetstream.StreamConfig) error { return ensureStream(ctx, js, want, c) }
	optional := verify(c.optional(), check)
	for i := range optional {
		optional[i].Optional = true
	}
	return append(verify(c.all(), check), optional...)
}

// Inspect is [Verify] for a connection that others use too. It waits for a response that permissions prevent, so it leaves out the
// optional streams, which a user of an older version may not request.
func Inspect(ctx context.Context, js jetstream.JetStream, c Config) []State {
	return verify(c.all(), func(want jetstream.StreamConfig) error {
		_, err := inspect(ctx, js, want, c)
		return err
	})
}

// verify returns the result of a check of each stream.
func verify(streams []jetstream.StreamConfig, check func(jetstream.StreamConfig) error) []State {
	var all []State
	for _, want := range streams {
		state := State{Name: want.Name}
		state.Err = check(want)
		state.Missing = errors.Is(state.Err, jetstream.ErrStreamNotFound)
		_, state.Incompatible = errors.AsType[configError](state.Err)
		all = append(all, state)
	}
	return all
}

// ProbeSubject returns the subject of test writes, below the prefix of a stream's subjects. It has the form of an event's
// subject, because the stream must accept it; no resource has the kind doctor.
func ProbeSubject(prefix string) string { return prefix + ".doctor.none.none.none" }

// TryWrites checks whether this connection may write to every stream that a bridge writes to, and delete retried deliveries.
// It stores and deletes nothing.
func TryWrites(ctx context.Context, js jetstream.JetStream, c Config) error {
	n := c.Names
	for _, target := range []struct{ stream, prefix string }{
		{n.EventStream(), n.Prefix()},
		{n.UnappliedStream(), n.UnappliedPrefix()},
		{n.AuditStream(), n.AuditPrefix()},
		{"KV_" + n.LeaseBucket(), "$KV." + n.LeaseBucket()},
		{"KV_" + n.NotesBucket(), "$KV." + n.NotesBucket()},
	} {
		reqCtx, stop := noanswer.CancelWhenForbidden(ctx, js.Conn(), ProbeSubject(target.prefix))
		err := TryWrite(reqCtx, js, target.stream, target.prefix)
		stop()
		if err != nil {
			return err
		}
	}
	return tryDelete(ctx, js, n.UnappliedStream())
}

// TryProgressWrite is [TryWrites] for the bucket of the progress of jobs.
func TryProgressWrite(ctx context.Context, js jetstream.JetStream, c Config) error {
	prefix := "$KV." + c.Names.ProgressBucket()
	reqCtx, stop := noanswer.CancelWhenForbidden(ctx, js.Conn(), ProbeSubject(prefix))
	defer stop()
	return TryWrite(reqCtx, js, c.Names.ProgressStream(), prefix)
}

// tryDelete requests the deletion of a message that the stream cannot have. The response that there is none proves the
// permission to delete.
func tryDelete(ctx context.Context, js jetstream.JetStream, name string) error {
	reqCtx, stop := noanswer.CancelWhenForbidden(ctx, js.Conn(), name)
	defer stop()
	stream, err := js.Stream(reqCtx, name)
	if err == nil {
		err = stream.DeleteMsg(reqCtx, math.MaxInt64)
	}
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) && !strings.Contains(err.Error(), "not permitted") {
		return nil
	}
	return fmt.Errorf("test delete from %s, as a retry does: %w", name, noanswer.Explain(ctx, js, err, name))
}

// TryWrite publishes with an impossible expected sequence, which the stream must refuse. That refusal proves that the user
// may publish to its subjects and that the stream has a leader. Nothing is stored. Core NATS subscribers of the subjects
// receive an empty message with the header Mkio-Probe.
func TryWrite(ctx context.Context, js jetstream.JetStream, stream, prefix string) error {
	subject := ProbeSubject(prefix)
	_, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: nats.Header{event.HeaderProbe: {"write"}}},
		jetstream.WithExpectStream(stream), jetstream.WithExpectLastSequencePerSubject(math.MaxInt64), jetstream.WithRetryAttempts(0))
	switch {
	case Conflicted(err):
		return nil
	case err == nil:
		return fmt.Errorf("stream %s does not check expected sequences", stream)
	}
	if forbidden := noanswer.Forbidden(js.Conn(), err, subject); errors.As(forbidden, new(*noanswer.Error)) {
		return fmt.Errorf("test write to %s: %w", stream, forbidden)
	}
	return fmt.Errorf("test write to %s: %w: the stream has no leader, or the bridge's user may not publish to its subjects", stream, err)
}
