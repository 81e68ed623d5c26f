package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// until calls check now, and again after each change of a resource that the bridge records, until check says that the state is
// reached. So MK.IO is asked once per change, and not every few seconds. After -wait it gives up: the event is delivered again
// and everything is looked at again, in case the bridge saw no change (a state that came and went between two polls).
func (p *publisher) until(ctx context.Context, key string, check func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.wait, fmt.Errorf("%s is not in the state to continue after %s", key, p.wait))
	defer cancel()
	changes, err := p.states.Watch(ctx, key, jetstream.UpdatesOnly()) // before the first check, so that no change is missed
	if err != nil {
		return fmt.Errorf("watch %s of bucket %s: %w", key, stateBucket, err)
	}
	defer func() { _ = changes.Stop() }()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case _, open := <-changes.Updates():
			if !open && ctx.Err() == nil {
				return fmt.Errorf("the watch of bucket %s ended", stateBucket)
			}
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// stateKey returns the key of a resource in the bucket with the last events. Names that are longer than 80 bytes may be
// shortened there (docs/events.md#subjects): for those this program finds the state after -wait.
func stateKey(kind, project, name string) string {
	return kind + "." + token(project) + "." + token(name)
}

// token encodes a name as in subjects: every byte outside [A-Za-z0-9_-] becomes =XX.
func token(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}
