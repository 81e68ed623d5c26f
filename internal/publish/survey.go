package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
)

// A survey is what JetStream last answered about the streams. Its API has one queue for all who ask, readers as well, and
// answers late or never while that is full: an answer that does not come changes nothing here.
type survey struct {
	mu      sync.Mutex
	made    bool             // at least one survey has ended
	streams map[string]error // what is wrong with each; nil: nothing, as far as was answered
	log     error            // why the log must not be written though it is there
}

// A condition is how the streams are, as far as JetStream has answered.
type condition struct {
	missing []string // streams
	unfit   []error  // what of the streams is not as it must be
	stuck   error    // why the log must not be written
}

// condition sums up what was answered about the streams, in their order. What is not as it should be may still take
// writes. The log and the state bucket must be there: without the bucket nobody knows what has aged out.
func (s *survey) condition(streams Streams) condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := condition{stuck: s.log}
	for _, want := range streams.all() {
		err := s.streams[want.Name]
		missing := errors.Is(err, jetstream.ErrStreamNotFound)
		if missing {
			c.missing = append(c.missing, want.Name)
		}
		needed := want.Name == streams.Names.EventStream() || want.Name == streams.Names.StateStream()
		switch {
		case err == nil:
		case missing && needed && c.stuck == nil:
			c.stuck = err
		default:
			c.unfit = append(c.unfit, err)
		}
	}
	return c
}

// with says all that is wrong, stuck included, which is why nothing can be written; nil: nothing is wrong.
func (c condition) with(stuck error) error {
	all := c.unfit
	if c.stuck == nil {
		c.stuck = stuck
	}
	if c.stuck != nil {
		all = append(all, c.stuck)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	words := make([]string, len(all))
	for i, err := range all {
		words[i] = err.Error()
	}
	return fmt.Errorf("%s", strings.Join(words, "; besides, "))
}

// lookAtStreams asks about every stream and notes what is answered; it returns whether all was.
func (p *Publisher) lookAtStreams(ctx context.Context, within time.Duration) (answered bool) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	through, _ := p.gate.pass()
	horizon := p.Horizon()
	infos, wrong := p.askForStreams(ctx)
	answered = len(wrong) == len(p.streams.all())
	log, view := infos[p.names.EventStream()], infos[p.names.StateStream()]
	var other error
	if log != nil && view != nil {
		other = p.sameLog(ctx, log, view, horizon)
	}
	s := &p.health.survey
	s.note(wrong)
	if _, ok := errors.AsType[otherLog](other); ok || other == nil && log != nil && view != nil {
		s.noteLog(other)
	} else if other != nil {
		answered = false
	}
	if stuck := s.condition(p.streams).stuck; stuck != nil && ctx.Err() == nil {
		p.gate.shut(through, trouble{stuck})
	}
	return answered
}

func (s *survey) note(wrong map[string]error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = true
	if s.streams == nil {
		s.streams = map[string]error{}
	}
	maps.Copy(s.streams, wrong)
}

func (s *survey) noteLog(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = err
}

func (s *survey) never() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.made
}

// askForStreams asks about every stream at the same time. wrong has an entry for each of which JetStream answered how it
// is, nil where it is as it must be.
func (p *Publisher) askForStreams(ctx context.Context) (infos map[string]*jetstream.StreamInfo, wrong map[string]error) {
	asked := p.streams
	asked.Create = false
	wanted := asked.all()
	found, errs := make([]*jetstream.StreamInfo, len(wanted)), make([]error, len(wanted))
	var asking sync.WaitGroup
	for i, want := range wanted {
		asking.Go(func() { found[i], errs[i] = ensure(ctx, p.js, want, asked) })
	}
	asking.Wait()
	infos, wrong = map[string]*jetstream.StreamInfo{}, map[string]error{}
	for i, want := range wanted {
		if found[i] != nil {
			infos[want.Name] = found[i]
		}
		if found[i] != nil || errors.Is(errs[i], jetstream.ErrStreamNotFound) {
			wrong[want.Name] = errs[i]
		}
	}
	if info := infos[p.names.UnappliedStream()]; info != nil {
		p.health.noteUnapplied(info)
	}
	if info := infos[p.names.EventStream()]; info != nil && info.State.NumDeleted == 0 { // else the last may be gone
		p.noteEnd(info.State.LastSeq)
	}
	return infos, wrong
}

// otherLog is for a log that is not the one that is remembered, or not the one that the state bucket is filled from.
type otherLog struct{ error }

func (o otherLog) Unwrap() error { return o.error }

// sameLog says whether the log is the one that is remembered, which it had up to the horizon before it was looked
// at, and whether the state bucket is filled from it. Another log is read before anything is written to it. Every error
// but an [otherLog] says that it could not be found out.
func (p *Publisher) sameLog(ctx context.Context, log, view *jetstream.StreamInfo, horizon uint64) error {
	p.noteMissing(log.State)
	if made := p.made.Load(); made != 0 {
		shorter, err := p.lostEnd(ctx, log.State.LastSeq, horizon)
		if err != nil {
			return err
		}
		if shorter || made != log.Created.UnixNano() {
			p.readAgain()
			return otherLog{errRemade}
		}
	}
	_, err := p.viewOf(ctx, log.State.LastSeq, view)
	return err
}

// stillSameLog says whether the log that takes writes again after it took none is the one that is remembered. The last
// event that is known of it proves that; only where it is not found has JetStream's API to tell.
func (p *Publisher) stillSameLog(ctx context.Context) error {
	if p.hasLastKnown(ctx) {
		return nil
	}
	horizon := p.Horizon()
	infos, _ := p.askForStreams(ctx)
	log, view := infos[p.names.EventStream()], infos[p.names.StateStream()]
	if log == nil || view == nil {
		return fmt.Errorf("%s takes writes, and JetStream does not answer whether it is the log that was read", p.names.EventStream())
	}
	return p.sameLog(ctx, log, view, horizon)
}

// hasLastKnown says whether the log has the last event that is known of it, with the same content.
func (p *Publisher) hasLastKnown(ctx context.Context) bool {
	horizon := p.Horizon()
	if horizon == 0 || p.made.Load() == 0 {
		return false
	}
	m, err := p.reader.get(ctx, p.names.EventStream(), map[string]any{"seq": horizon})
	if err != nil || m == nil {
		return false
	}
	h, err := m.header()
	if err != nil {
		return false
	}
	at := p.known.get(event.ResourceOf(m.Subject[len(p.names.Prefix())+1:]))
	return at.fact != nil && at.fact.Sequence == horizon && at.fact.Hash != "" && at.fact.Hash == h.Get(event.HeaderHash)
}
