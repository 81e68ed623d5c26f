package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/noanswer"
)

// A NotifyRule is a rule of mkio-bridge notify, as its consumer shows it.
type NotifyRule struct {
	Rule        string     `json:"rule"`
	Filter      string     `json:"filter"` // in words
	Target      string     `json:"target"`
	Active      bool       `json:"active"`                // a process gets its events
	Lag         uint64     `json:"lag"`                   // events that are not settled
	Held        int        `json:"held"`                  // … of these, delivered to the process and not acknowledged
	LastSettled *time.Time `json:"lastSettled,omitempty"` // when an event was last acknowledged: sent, left out, or a dead letter
	LastError   string     `json:"lastError,omitempty"`   // why the last try failed; absent after a message was sent
	ErrorTime   *time.Time `json:"errorTime,omitempty"`
	DeadLetters uint64     `json:"deadLetters"` // in the stream; a notifier without that right has its own file
}

// notifyTimeout limits one request: a forbidden one gets no response.
const notifyTimeout = 3 * time.Second

// NotifyRules returns the rules of all notifiers of the log, by name.
func (l *Log) NotifyRules(ctx context.Context) ([]NotifyRule, error) {
	asking, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	stream, err := l.js.Stream(asking, l.names.EventStream())
	if err != nil {
		return nil, l.streamErr(ctx, l.names.EventStream(), err)
	}
	rules := []NotifyRule{}
	consumers := stream.ListConsumers(asking)
	for info := range consumers.Info() {
		if name, ok := strings.CutPrefix(info.Name, event.NotifyConsumerPrefix); ok && info.Config.Metadata[event.NotifyTarget] != "" {
			rules = append(rules, notifyRuleOf(name, info))
		}
	}
	if err := consumers.Err(); err != nil {
		return nil, fmt.Errorf("list consumers of %s: %w", l.names.EventStream(), noanswer.Explain(ctx, l.js, err, "CONSUMER.LIST"))
	}
	slices.SortFunc(rules, func(a, b NotifyRule) int { return cmp.Compare(a.Rule, b.Rule) })
	if len(rules) == 0 {
		return rules, nil
	}
	letters, err := l.deadLetters(ctx)
	for i := range rules {
		rules[i].DeadLetters = letters[rules[i].Rule]
	}
	return rules, err
}

// notifyRuleOf returns the rule of a consumer.
func notifyRuleOf(name string, info *jetstream.ConsumerInfo) NotifyRule {
	m := info.Config.Metadata
	r := NotifyRule{
		Rule: name, Filter: m[event.NotifyFilter], Target: m[event.NotifyTarget], LastError: m[event.NotifyError],
		Lag: info.NumPending + uint64(max(info.NumAckPending, 0)), Held: info.NumAckPending,
		LastSettled: info.AckFloor.Last,
		Active:      slices.ContainsFunc(info.PriorityGroups, func(g jetstream.PriorityGroupState) bool { return g.PinnedClientID != "" }),
	}
	if at, err := time.Parse(time.RFC3339, m[event.NotifyErrorTime]); err == nil {
		r.ErrorTime = &at
	}
	return r
}

// deadLetters returns the number of dead letters of each rule.
func (l *Log) deadLetters(ctx context.Context) (map[string]uint64, error) {
	asking, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	name := l.names.NotifyFailedStream()
	letters := map[string]uint64{}
	stream, err := l.js.Stream(asking, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return letters, nil
	}
	var info *jetstream.StreamInfo
	if err == nil {
		info, err = stream.Info(asking, jetstream.WithSubjectFilter(l.names.NotifyFailedPrefix()+".>"))
	}
	if err != nil {
		return nil, l.streamErr(ctx, name, err)
	}
	for subject, count := range info.State.Subjects {
		rule, _, _ := strings.Cut(strings.TrimPrefix(subject, l.names.NotifyFailedPrefix()+"."), ".")
		letters[rule] += count
	}
	return letters, nil
}
