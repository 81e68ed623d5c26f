package eventlog

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// KeyOf returns the key of a resource, given its token. The token of a resource with a very long name has only a part of it: then
// the resource's last event is read. If the state bucket does not have it (yet), the key has the tokens as names.
func (l *Log) KeyOf(ctx context.Context, resource string) (lifecycle.Key, error) {
	key, _, err := l.names.Parse(l.names.Subject(resource, ""))
	if !errors.Is(err, event.ErrCutToken) {
		return key, err
	}
	raw, ok, err := l.lastOfResource(ctx, resource)
	if err != nil {
		return lifecycle.Key{}, err
	}
	if !ok {
		tokens := strings.Split(resource, ".")
		return lifecycle.NewKey(lifecycle.Kind(tokens[0]), tokens[1], tokens[2:]...)
	}
	last, err := raw.Decode()
	if err != nil {
		return lifecycle.Key{}, err
	}
	return last.Event.Data.Key()
}

// Keys returns the resources that match the kind, project and name of a query, without their events. It omits those with
// names so long that subjects have them truncated.
func (l *Log) Keys(ctx context.Context, q Query) iter.Seq2[lifecycle.Key, error] {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, false), HeadersOnly: true}
	return func(yield func(lifecycle.Key, error) bool) {
		for m, err := range l.messages(ctx, l.names.StateStream(), config, false) {
			if err != nil {
				yield(lifecycle.Key{}, err)
				return
			}
			resource := strings.TrimPrefix(m.Subject(), l.names.StateSubject(""))
			key, _, err := l.names.Parse(l.names.Subject(resource, ""))
			if err == nil && !yield(key, nil) {
				return
			}
		}
	}
}

// Samples returns a resource of each project and kind that has events; an empty project or kind matches any.
func (l *Log) Samples(ctx context.Context, project string, kind lifecycle.Kind) ([]lifecycle.Key, error) {
	var q Query
	if project != "" {
		q.Projects = []string{project}
	}
	if kind != "" {
		q.Kinds = []lifecycle.Kind{kind}
	}
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, false), HeadersOnly: true}
	found, samples := map[[2]string]bool{}, []lifecycle.Key(nil)
	for m, err := range l.messages(ctx, l.names.StateStream(), config, false) {
		if err != nil {
			return nil, err
		}
		resource := strings.TrimPrefix(m.Subject(), l.names.StateSubject(""))
		tokens := strings.SplitN(resource, ".", 3)
		of := [2]string{tokens[0], tokens[1]}
		if found[of] {
			continue
		}
		found[of] = true
		key, err := l.KeyOf(ctx, resource)
		if err != nil {
			return nil, err
		}
		samples = append(samples, key)
	}
	return samples, nil
}
