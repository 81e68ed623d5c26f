package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// key is the key of the note in the bucket of notes.
const key = "identity"

// A Store reads and writes the note that all bridges of a log share. It may be used by any number of goroutines.
type Store struct{ bucket jetstream.KeyValue }

// NewStore returns a store of a log's bucket of notes.
func NewStore(bucket jetstream.KeyValue) Store { return Store{bucket} }

// Read returns the note; the zero Note if there is none, or if it is corrupt.
func (s Store) Read(ctx context.Context) (Note, error) {
	n, _, err := s.read(ctx)
	return n, err
}

// read returns the note and its revision; 0 if there is none.
func (s Store) read(ctx context.Context) (Note, uint64, error) {
	entry, err := s.get(ctx)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Note{}, 0, nil
	}
	if err != nil {
		return Note{}, 0, fmt.Errorf("read %s of bucket %s: %w", key, s.bucket.Bucket(), err)
	}
	var n Note
	if json.Unmarshal(entry.Value(), &n) != nil {
		n = Note{} // a corrupt note counts as none
	}
	return n, entry.Revision(), nil
}

// A replicated bucket that another bridge has just created has no responder until its servers have elected a leader, which
// takes a second or two.
const (
	electionTimeout = 5 * time.Second
	electionPause   = 100 * time.Millisecond
)

// get returns the note's entry. While nobody responds it retries, because the bucket may be new.
func (s Store) get(ctx context.Context) (jetstream.KeyValueEntry, error) {
	for end := time.Now().Add(electionTimeout); ; {
		entry, err := s.bucket.Get(ctx, key)
		if !errors.Is(err, nats.ErrNoResponders) || time.Now().After(end) {
			return entry, err
		}
		select {
		case <-time.After(electionPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// Limits of the retries of a change that conflicts with one of another bridge. A replicated bucket also refuses it while the
// other is in flight, so the pause doubles each time.
const (
	maxSwaps   = 8
	firstPause = 10 * time.Millisecond
)

// Change writes update's result for the note, by compare-and-swap: if another bridge changed the note meanwhile, update is
// called again. It returns the note before and after. If update returns an error, Change returns it and writes nothing.
func (s Store) Change(ctx context.Context, update func(Note) (Note, error)) (before, after Note, err error) {
	for attempt := range maxSwaps {
		if attempt > 0 {
			select {
			case <-time.After(firstPause << (attempt - 1)):
			case <-ctx.Done():
				return before, before, ctx.Err()
			}
		}
		var revision uint64
		if before, revision, err = s.read(ctx); err != nil {
			return before, before, err
		}
		if after, err = update(before); err != nil || after.Equal(before) {
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
