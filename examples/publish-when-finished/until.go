package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// until calls check now, and again after each change of a resource that the bridge records, until check says that the state is
// reached. So MK.IO is asked once per change, and not every few seconds. After -wait it gives up: the event is delivered again
// and everything is looked at again, in case the bridge saw no change (a state that came and went between two polls).
func (p *publisher) until(ctx context.Context, subject string, check func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.wait, fmt.Errorf("%s: not in the state to continue after %s", subject, p.wait))
	defer cancel()
	changes, err := p.events.CreateConsumer(ctx, jetstream.ConsumerConfig{ // before the first check, so that no change is missed
		FilterSubject: subject, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("follow %s: %w", subject, err)
	}
	defer func() {
		deleting, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = p.events.DeleteConsumer(deleting, changes.CachedInfo().Name) // else NATS deletes it, when it has been inactive for a minute
	}()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		_, err := changes.Next(jetstream.FetchContext(ctx))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("follow %s: %w", subject, err)
		}
	}
}

// anyState returns the subjects of all states of a resource. Names that are longer than 80 bytes may be shortened there
// (docs/events.md#subjects): for those this program finds the state after -wait.
func anyState(kind, project, name string) string {
	return fmt.Sprintf("mkio.%s.%s.%s.*", kind, token(project), token(name))
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
