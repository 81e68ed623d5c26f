package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/streams"
)

// survey asks about every stream, judges whether the log is the one that is remembered, and notes both; it returns whether
// JetStream answered all.
func (p *Publisher) survey(ctx context.Context) (answered bool) {
	through, _ := p.gate.pass()
	horizon := p.Horizon()
	answers := p.ask(ctx)
	answered = answers.All()
	log, view := answers.Infos[p.names.EventStream()], answers.Infos[p.names.StateStream()]
	var other error
	if log != nil && view != nil {
		other = p.sameLog(ctx, log, view, horizon)
	}
	p.streams.Note(answers)
	if _, ok := errors.AsType[otherLog](other); ok || other == nil && log != nil && view != nil {
		p.streams.NoteLog(other)
	} else if other != nil {
		answered = false
	}
	if stuck := p.streams.LogErr(); stuck != nil && ctx.Err() == nil {
		p.gate.shut(through, trouble{stuck})
	}
	return answered
}

// ask asks about every stream, and notes how full what became no event is, and where the log ends.
func (p *Publisher) ask(ctx context.Context) streams.Answers {
	answers := p.streams.Ask(ctx)
	if info := answers.Infos[p.names.UnappliedStream()]; info != nil {
		p.health.noteUnapplied(info)
	}
	if info := answers.Infos[p.names.EventStream()]; info != nil && info.State.NumDeleted == 0 { // else the last may be gone
		p.noteEnd(info.State.LastSeq)
	}
	return answers
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
	answers := p.ask(ctx)
	log, view := answers.Infos[p.names.EventStream()], answers.Infos[p.names.StateStream()]
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
