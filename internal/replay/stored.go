package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stored is a target: the stream that stores the replayed events.
type stored struct {
	js       jetstream.JetStream
	stream   jetstream.Stream
	subjects string
	id       string
	expect   uint64 // stream sequence of the last published message
}

// streamOf returns the stream whose subjects include a prefix.
func streamOf(ctx context.Context, js jetstream.JetStream, prefix string) (jetstream.Stream, error) {
	name, err := js.StreamNameBySubject(ctx, prefix+".>")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("no stream has the subjects %s.>: create one (nats stream add REPLAY --subjects '%[1]s.>' --defaults), or publish to current subscribers with --live", prefix)
	}
	if err != nil {
		return nil, fmt.Errorf("find the stream of %s.>: %w", prefix, err)
	}
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	if stream.CachedInfo().Config.Retention != jetstream.LimitsPolicy {
		return nil, fmt.Errorf("stream %s deletes consumed messages, so a replay could not resume: change its retention to limits", name)
	}
	return stream, nil
}

// A position is the last message of a replay in the stream.
type position struct {
	streamSequence uint64 // sequence of the message in the stream
	sequence       uint64 // sequence of its event in the log
	id             string
}

// last returns the position of the last message under the prefix; zero if there is none.
func (s *stored) last(ctx context.Context) (position, error) {
	m, err := s.stream.GetLastMsgForSubject(ctx, s.subjects)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return position{}, nil
	}
	if err != nil {
		return position{}, fmt.Errorf("read the end of %s: %w", s.subjects, err)
	}
	sequence, err := strconv.ParseUint(m.Header.Get(HeaderSequence), 10, 64)
	if err != nil {
		return position{}, fmt.Errorf("the last message on %s was not replayed from the log: choose another prefix", m.Subject)
	}
	return position{m.Sequence, sequence, m.Header.Get(HeaderReplay)}, nil
}

func (s *stored) resume(ctx context.Context) (uint64, error) {
	last, err := s.last(ctx)
	if err != nil || last.streamSequence == 0 {
		return 0, err
	}
	if last.id != s.id {
		return 0, fmt.Errorf("%s holds a replay of other events, or of another log: choose another prefix, or purge it (nats stream purge %s --subject '%[1]s')",
			s.subjects, s.stream.CachedInfo().Config.Name)
	}
	s.expect = last.streamSequence
	return last.sequence, nil
}

// Timeouts and retries of a stream that does not respond.
const (
	ackWait   = 3 * time.Second
	retryWait = 250 * time.Millisecond
	maxTries  = 20
)

func (s *stored) put(ctx context.Context, sequence uint64, msg *nats.Msg) error {
	msg.Header.Set(HeaderReplay, s.id)
	for try := 0; ; try++ {
		publishCtx, cancel := context.WithTimeout(ctx, ackWait)
		ack, err := s.js.PublishMsg(publishCtx, msg, jetstream.WithExpectLastSequenceForSubject(s.expect, s.subjects), jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			s.expect = ack.Sequence
			return nil
		}
		stored, checkErr := s.isStored(ctx, sequence)
		switch {
		case stored, ctx.Err() != nil:
			return ctx.Err()
		case errors.As(checkErr, new(mixedError)):
			return checkErr
		case try == maxTries:
			return fmt.Errorf("publish on %s: %w", msg.Subject, err)
		}
		timer := time.NewTimer(retryWait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// mixedError is for a prefix under which another client publishes.
type mixedError struct{ error }

// isStored reports whether an event is stored although its acknowledgement was lost.
func (s *stored) isStored(ctx context.Context, sequence uint64) (bool, error) {
	checkCtx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	last, err := s.last(checkCtx)
	switch {
	case err != nil:
		return false, err
	case last.streamSequence == s.expect:
		return false, nil
	case last.id == s.id && last.sequence == sequence:
		s.expect = last.streamSequence
		return true, nil
	}
	return false, mixedError{fmt.Errorf("another client publishes under %s: choose a prefix that only the replay uses", s.subjects)}
}
