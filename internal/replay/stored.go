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

// stored is a stream that takes what is replayed.
type stored struct {
	js       jetstream.JetStream
	stream   jetstream.Stream
	subjects string
	id       string
	expect   uint64 // sequence in the stream of what was published last
}

// streamOf returns the stream that takes a prefix.
func streamOf(ctx context.Context, js jetstream.JetStream, prefix string) (jetstream.Stream, error) {
	name, err := js.StreamNameBySubject(ctx, prefix+".>")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("no stream takes %s.>: make one (nats stream add REPLAY --subjects '%[1]s.>' --defaults), or publish to whoever listens now with --live", prefix)
	}
	if err != nil {
		return nil, fmt.Errorf("find the stream that takes %s.>: %w", prefix, err)
	}
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	if stream.CachedInfo().Config.Retention != jetstream.LimitsPolicy {
		return nil, fmt.Errorf("stream %s drops what was consumed, so a replay could not tell where it was: give it the retention of limits", name)
	}
	return stream, nil
}

// A mark is a message of a replay, as it lies in the stream.
type mark struct {
	at       uint64 // in the stream
	sequence uint64 // in the log
	id       string
}

// last returns what was published last under the prefix; zero where there is nothing.
func (s *stored) last(ctx context.Context) (mark, error) {
	m, err := s.stream.GetLastMsgForSubject(ctx, s.subjects)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, fmt.Errorf("read the end of %s: %w", s.subjects, err)
	}
	sequence, err := strconv.ParseUint(m.Header.Get(HeaderSequence), 10, 64)
	if err != nil {
		return mark{}, fmt.Errorf("what lies on %s was not replayed from the log: choose another prefix", m.Subject)
	}
	return mark{m.Sequence, sequence, m.Header.Get(HeaderReplay)}, nil
}

func (s *stored) resume(ctx context.Context) (uint64, error) {
	last, err := s.last(ctx)
	if err != nil || last.at == 0 {
		return 0, err
	}
	if last.id != s.id {
		return 0, fmt.Errorf("%s holds a replay of other events, or of another log: choose another prefix, or purge it (nats stream purge %s --subject '%[1]s')",
			s.subjects, s.stream.CachedInfo().Config.Name)
	}
	s.expect = last.at
	return last.sequence, nil
}

// Patience with a stream that does not answer.
const (
	ackWait   = 3 * time.Second
	retryWait = 250 * time.Millisecond
	tries     = 20
)

func (s *stored) put(ctx context.Context, sequence uint64, msg *nats.Msg) error {
	msg.Header.Set(HeaderReplay, s.id)
	for try := 0; ; try++ {
		publishing, cancel := context.WithTimeout(ctx, ackWait)
		ack, err := s.js.PublishMsg(publishing, msg, jetstream.WithExpectLastSequenceForSubject(s.expect, s.subjects), jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			s.expect = ack.Sequence
			return nil
		}
		stored, lookErr := s.isStored(ctx, sequence)
		switch {
		case stored, ctx.Err() != nil:
			return ctx.Err()
		case errors.As(lookErr, new(mixedError)):
			return lookErr
		case try == tries:
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

// mixedError is for a prefix under which somebody else publishes.
type mixedError struct{ error }

// isStored says whether an event was published, though nobody acknowledged it.
func (s *stored) isStored(ctx context.Context, sequence uint64) (bool, error) {
	looking, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	last, err := s.last(looking)
	switch {
	case err != nil:
		return false, err
	case last.at == s.expect:
		return false, nil
	case last.id == s.id && last.sequence == sequence:
		s.expect = last.at
		return true, nil
	}
	return false, mixedError{fmt.Errorf("somebody else publishes under %s: choose a prefix of its own", s.subjects)}
}
