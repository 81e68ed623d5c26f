package audit

import (
	"context"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// Provable reports whether sweeps can compare a kind with MK.IO.
func Provable(kind lifecycle.Kind) bool { return kind != lifecycle.ChannelInstance }

// Reasons why nothing is proven about a kind.
const (
	reasonUnprovable = "MK.IO's API cannot list resources of this kind, so no sweep can compare them: their events are from webhooks alone"
	reasonNotPolled  = "no sweep of this kind of the project is on record for the period: it was not polled"
)

// unpolled returns a coverage for each project and kind that has events but no records.
func (q Query) unpolled(ctx context.Context, log *eventlog.Log, records map[projectKind][]event.Coverage) ([]Coverage, error) {
	info, err := log.Stream(ctx)
	if err != nil {
		return nil, err
	}
	since := latest(q.Since, info.State.FirstTime) // there is nothing to prove before the first event
	if !since.Before(q.Until) {
		return nil, nil // the log has no event of the period
	}
	samples := q.Samples
	if samples == nil {
		samples = log.Samples
	}
	keys, err := samples(ctx, q.Project, q.Kind)
	if err != nil {
		return nil, err
	}
	var all []Coverage
	for _, key := range keys {
		if _, swept := records[projectKind{key.Project, key.Kind}]; swept {
			continue
		}
		reason := reasonNotPolled
		if !Provable(key.Kind) {
			reason = reasonUnprovable
		}
		all = append(all, Coverage{
			Project: key.Project, Kind: key.Kind, From: since, To: q.Until, Proven: since, Gaps: []Span{{since, q.Until, reason}}, Proofs: []Proof{},
			Provable: Provable(key.Kind), Reason: reason,
		})
	}
	return all, nil
}
