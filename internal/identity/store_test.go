package identity

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A newBucket has no responder to its first requests, as a replicated bucket before the election of its leader.
type newBucket struct {
	jetstream.KeyValue
	silent int
}

func (b *newBucket) Bucket() string { return "mkio_bridge" }

func (b *newBucket) Get(context.Context, string) (jetstream.KeyValueEntry, error) {
	if b.silent--; b.silent >= 0 {
		return nil, nats.ErrNoResponders
	}
	return nil, jetstream.ErrKeyNotFound
}

func TestNoteIsReadOnceTheBucketHasALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if n, err := NewStore(&newBucket{silent: 20}).Read(t.Context()); err != nil || n.Address != "" {
			t.Errorf("note %+v, error %v", n, err)
		}
	})
}

func TestReadOfABucketThatNeverResponds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := NewStore(&newBucket{silent: 1 << 30}).Read(t.Context()); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("error %v", err)
		}
	})
}
