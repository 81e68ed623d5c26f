package publish

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Times of the guard.
const (
	quietLook  = 30 * time.Second       // between two surveys, where the configuration says nothing else
	wakePause  = 50 * time.Millisecond  // many wake it at once
	shutLook   = 500 * time.Millisecond // between two tries to open a gate
	lookWait   = ackWait                // for one probe; who probes /readyz waits meanwhile
	surveyWait = 10 * time.Second       // for one survey: JetStream's API may be busy with others
	hastyLook  = 2 * time.Second        // between two surveys while something is wrong
	remakeWait = time.Second            // before a missing stream is made again
)

// guard sees to it, until the context ends, that gates open again, that streams which somebody deleted are made
// again, and that another log is noticed. It probes with writes, and only where something is wrong; beside it the streams
// are asked for, which may take long.
func (p *Publisher) guard(ctx context.Context) {
	var surveying sync.WaitGroup
	defer surveying.Wait()
	surveying.Go(func() { p.survey(ctx) })
	status := p.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer p.nc.RemoveStatusListener(status)
	for {
		var again <-chan time.Time
		if p.Trouble() != nil {
			again = time.After(max(shutLook, p.gate.respite()))
		} else if _, err := p.aside.pass(); err != nil {
			again = time.After(max(shutLook, p.aside.respite()))
		}
		select {
		case <-ctx.Done():
			return
		case <-status:
		case <-p.wake:
			if pause(ctx, max(wakePause, p.gate.respite(), p.aside.respite())) != nil {
				return
			}
		case <-again:
		}
		rouse(p.resurvey)
		_ = p.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		p.tell()
	}
}

// survey looks at the streams until the context ends, soon again where somebody has reason to ask, and puts right what it
// may.
func (p *Publisher) survey(ctx context.Context) {
	for told := true; ctx.Err() == nil; p.awaitSurvey(ctx) {
		answered := p.lookAtStreams(ctx, surveyWait)
		if missing := p.health.survey.condition(p.streams).missing; len(missing) > 0 && p.streams.Create && ctx.Err() == nil {
			p.remakeMissing(ctx, missing)
		}
		if ctx.Err() != nil {
			return
		}
		if !answered || p.health.survey.condition(p.streams).with(nil) != nil {
			_ = p.probe(ctx) // whether events can be stored, a write tells
		}
		if answered != told {
			told = answered
			p.tellAnswered(answered)
		}
		p.tell()
	}
}

// awaitSurvey waits until the streams are looked at again: for a while, or until somebody asks for it.
func (p *Publisher) awaitSurvey(ctx context.Context) {
	if pause(ctx, min(hastyLook, p.lookEvery)) != nil {
		return
	}
	timer := time.NewTimer(p.lookEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-p.resurvey:
	case <-timer.C:
	}
}

// remakeMissing makes the streams that are missing, and looks at all of them again.
func (p *Publisher) remakeMissing(ctx context.Context, missing []string) {
	// Who deleted a stream in order to make it otherwise gets the moment to; and the server clears away a
	// deleted stream in the background, and must not find the new one there.
	if pause(ctx, remakeWait) != nil {
		return
	}
	if err := p.remake(ctx, missing); err != nil {
		p.log.Error("a stream is missing and cannot be made again; it is tried again", "error", err)
		return
	}
	p.lookAtStreams(ctx, surveyWait)
}

// remake makes the streams that are missing. Other bridges may do so at the same time: one of them is first.
func (p *Publisher) remake(ctx context.Context, missing []string) error {
	ctx, cancel := context.WithTimeout(ctx, remakeTime)
	defer cancel()
	err := Ensure(ctx, p.js, p.streams)
	if _, ok := errors.AsType[unfit](err); err != nil && !ok {
		return err
	}
	for _, name := range missing {
		if name == p.names.EventStream() {
			p.log.Error("the event log was missing and was made again: the log begins anew, and what it held is lost", "stream", name)
			continue
		}
		p.log.Error("a stream was missing and was made again", "stream", name)
	}
	return nil
}

// remakeTime is for making all of them.
const remakeTime = 20 * time.Second

// tell logs what is wrong, when it is not what was wrong before.
func (p *Publisher) tell() {
	p.health.turn <- struct{}{} // and so one at a time
	defer func() { <-p.health.turn }()
	found, text := p.health.survey.condition(p.streams).with(p.health.stuck), ""
	if found != nil {
		text = found.Error()
	}
	if text == p.told {
		return
	}
	p.told = text
	if found == nil {
		p.log.Info("JetStream is as the bridge needs it again")
		return
	}
	p.log.Error("JetStream is not as the bridge needs it; /readyz tells", "error", found)
}

// tellAnswered logs that JetStream's API does not answer, or answers again.
func (p *Publisher) tellAnswered(answered bool) {
	if answered {
		p.log.Info("JetStream's API answers again about the streams")
		return
	}
	p.log.Warn("JetStream's API does not answer about the streams, its queue may be full of other requests; whether events are stored, writes tell", "waited", surveyWait)
}
