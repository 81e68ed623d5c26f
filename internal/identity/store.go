package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// key is that of the note in the bridge's bucket.
const key = "identity"

// A Store keeps the note where every bridge of the log finds it. It may be used by any number of goroutines.
type Store struct{ bucket jetstream.KeyValue }

// NewStore returns the store of a log's bucket.
func NewStore(bucket jetstream.KeyValue) Store { return Store{bucket} }

// Read returns the note; the zero Note where there is none, or none that can be read.
func (s Store) Read(ctx context.Context) (Note, error) {
	n, _, err := s.read(ctx)
	return n, err
}

// read returns the note and its revision; 0 where there is none.
func (s Store) read(ctx context.Context) (Note, uint64, error) {
	entry, err := s.bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Note{}, 0, nil
	}
	if err != nil {
		return Note{}, 0, fmt.Errorf("read %s of bucket %s: %w", key, s.bucket.Bucket(), err)
	}
	var n Note
	if json.Unmarshal(entry.Value(), &n) != nil {
		n = Note{} // a corrupt note is as good as none
	}
	return n, entry.Revision(), nil
}

// A change that another bridge's overtook is tried again so often, after pauses that grow: a replicated bucket refuses it while
// the other is under way, too.
const (
	maxSwaps   = 8
	firstPause = 10 * time.Millisecond
)

// Change writes what to makes of the note, by compare-and-swap: where another bridge changed the note meanwhile, to decides
// again. It returns the note before and after. An error of to is returned, and nothing is written.
func (s Store) Change(ctx context.Context, to func(Note) (Note, error)) (before, after Note, err error) {
	for try := range maxSwaps {
		if try > 0 {
			select {
			case <-time.After(firstPause << (try - 1)):
			case <-ctx.Done():
				return before, before, ctx.Err()
			}
		}
		var revision uint64
		if before, revision, err = s.read(ctx); err != nil {
			return before, before, err
		}
		if after, err = to(before); err != nil || after.Equal(before) {
			return before, after, err
		}
		err = s.write(ctx, after, revision)
		if !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			break
		}
	}
	if err != nil {
		return before, before, fmt.Errorf("write %s of bucket %s: %w", key, s.bucket.Bucket(), err)
	}
	return before, after, nil
}

func (s Store) write(ctx context.Context, n Note, revision uint64) error {
	value, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if revision == 0 {
		_, err = s.bucket.Create(ctx, key, value)
		return err
	}
	_, err = s.bucket.Update(ctx, key, value, revision)
	return err
}
