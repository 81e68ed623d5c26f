package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/noanswer"
)

// Settings of consumers.
const (
	priorityGroup = "notify"
	ackWait       = 15 * time.Second // after which the events of a process that died are delivered to another
	progressEvery = ackWait / 3      // how often held events are kept from that
	maxPending    = 256              // unacknowledged events of a rule
	maxGrouped    = 10_000           // … of a rule that groups

	// The process that is pinned loses that when it sends no pull request for pinnedTTL. It sends one every pullExpiry.
	pullExpiry = 5 * time.Second
	pinnedTTL  = 3 * pullExpiry
)

// ConsumerName returns the name of a rule's consumer.
func ConsumerName(rule string) string { return event.NotifyConsumerPrefix + rule }

// consumerConfig returns the configuration of a rule's consumer.
func consumerConfig(r *Rule, names event.Names) jetstream.ConsumerConfig {
	config := jetstream.ConsumerConfig{
		Durable:        ConsumerName(r.Name),
		Description:    "Place of rule " + r.Name + " of mkio-bridge notify",
		FilterSubjects: r.Filter.Subjects(names),
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        ackWait,
		MaxAckPending:  r.pending(),
		// The notifier counts the tries. The server would drop an event without a dead letter if a crash interrupted the last.
		MaxDeliver:     -1,
		DeliverPolicy:  jetstream.DeliverNewPolicy,
		PriorityPolicy: jetstream.PriorityPolicyPinned,
		PriorityGroups: []string{priorityGroup},
		PinnedTTL:      pinnedTTL,
		Metadata:       map[string]string{event.NotifyFilter: r.Filter.String(), event.NotifyTarget: r.Target},
	}
	if r.From == FromAll {
		config.DeliverPolicy = jetstream.DeliverAllPolicy
	}
	return config
}

// pending returns how many events of the rule may be unacknowledged.
func (r *Rule) pending() int {
	if r.Group != nil {
		return maxGrouped
	}
	return maxPending
}

// A place is where a rule was in a log. A consumer that was deleted is created again there. In another log, such as one that
// was restored from a backup, sequences mean nothing, but events keep the time at which they were stored.
type place struct {
	log     time.Time // when the stream was created
	floor   uint64    // all events up to this one are settled
	settled time.Time // all events that were stored before are settled
}

// placeMargin is for clocks that differ: events are rather sent again than left out.
const placeMargin = time.Minute

// openConsumer creates the rule's consumer, or updates it to the rule. It keeps its position in both cases.
func (w *worker) openConsumer(ctx context.Context) (jetstream.Consumer, error) {
	stream, err := w.JS.Stream(ctx, w.Names.EventStream())
	if err != nil {
		return nil, w.explain(ctx, err)
	}
	created := stream.CachedInfo().Created
	config := consumerConfig(w.rule, w.Names)
	existing, err := stream.Consumer(ctx, config.Durable)
	switch {
	case err == nil: // its start cannot be changed, and its last error is that of the process that runs the rule
		is := existing.CachedInfo().Config
		config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = is.DeliverPolicy, is.OptStartSeq, is.OptStartTime
		for _, reported := range []string{event.NotifyError, event.NotifyErrorTime} {
			if text := is.Metadata[reported]; text != "" {
				config.Metadata[reported] = text
			}
		}
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, w.explain(ctx, err)
	case w.place.log.Equal(created):
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, w.place.floor+1
		w.Log.Warn("consumer was deleted; continuing at the rule's position", "rule", w.rule.Name, "sequence", config.OptStartSeq)
	case !w.place.log.IsZero():
		since := w.place.settled.Add(-placeMargin)
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
		w.Log.Warn("log was replaced by another; continuing by time", "rule", w.rule.Name, "since", since)
	}
	consumer, err := stream.CreateOrUpdateConsumer(ctx, config)
	if err != nil {
		return nil, w.explain(ctx, err)
	}
	w.config = config
	w.place = place{log: created, floor: consumer.CachedInfo().AckFloor.Stream, settled: time.Now()}
	if config.OptStartTime != nil {
		w.place.settled = *config.OptStartTime
	}
	if config.OptStartSeq > 0 {
		w.place.floor = max(w.place.floor, config.OptStartSeq-1)
	}
	return consumer, nil
}

// explain wraps an error of the rule's consumer.
func (w *worker) explain(ctx context.Context, err error) error {
	return fmt.Errorf("consumer %s: %w", ConsumerName(w.rule.Name), noanswer.Explain(ctx, w.JS, err, w.Names.EventStream()))
}
