package poll

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// atOnce is how many of the resources that a list lacks are visited before those that are gone are recorded: all, where
// they may turn out to be too many.
func (c *confirmation) batchSize(keys []lifecycle.Key) int {
	if c.sweeps.deletions.tooMany(c.kind, keys, c.countLiving) {
		return max(len(keys), confirmBatch)
	}
	return confirmBatch
}

// confirmedAgain withholds nothing: the resources have waited.
func holdNothing(context.Context, []lifecycle.Key) (bool, error) { return false, nil }

// withheld says whether resources that were found gone for the first time wait to be confirmed again.
func (c *confirmation) holdsBack(ctx context.Context, gone []lifecycle.Key) (bool, error) {
	d := c.sweeps.deletions
	switch {
	case d.patience == 0:
		return false, nil
	case !c.list.hasParent():
		return d.holdIfTooMany(c.kind, c.newWaiting(gone), c.suspects(gone), c.countLiving), nil
	case d.waits(c.list.Parent): // what lies below it is no more certain
		d.holdAll(c.kind, c.newWaiting(gone), c.countLiving)
		return true, nil
	}
	select { // one list after the other, or each would find itself the first
	case d.sem <- struct{}{}:
		defer func() { <-d.sem }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if !d.tooMany(c.kind, c.suspects(gone), c.countLiving) {
		if err := c.sampleSiblings(ctx, gone); err != nil {
			return false, err
		}
	}
	return d.holdIfTooMany(c.kind, c.newWaiting(gone), c.suspects(gone), c.countLiving), nil
}

// askOthers finds out whether what lies below other parents is gone as well, before the first of a kind is recorded: each
// list is short, and by itself has too few to tell an outage from a deletion. It asks until most are there, which is soon,
// or the gone are too many. Then those wait, and with them what their own lists will lack.
func (c *confirmation) sampleSiblings(ctx context.Context, gone []lifecycle.Key) error {
	s := c.sweeps
	siblings, err := c.siblings(ctx)
	if err != nil || !s.deletions.tooMany(c.kind, slices.Concat(gone, siblings), c.countLiving) {
		return err
	}
	there, asked, all := 0, 0, slices.Clone(gone)
	for keys := range slices.Chunk(siblings, maxConcurrent) {
		missing, shown, err := c.fetchSiblings(ctx, keys)
		if err != nil {
			return err
		}
		there, asked, all = there+shown, asked+len(keys), append(all, missing...)
		suspects := c.suspects(all)
		switch {
		case (asked-there)*maxAtOnceFraction <= asked: // most are there
			return nil
		case s.deletions.tooMany(c.kind, suspects, c.countLiving):
			s.deletions.holdIfTooMany(c.kind, c.newWaiting(all), suspects, c.countLiving)
			s.scheduleConfirmations(all[len(gone):])
			return nil
		}
	}
	return nil
}

// others are the resources of the kind below other parents, those that wait left out, in no order.
func (c *confirmation) siblings(ctx context.Context) ([]lifecycle.Key, error) {
	s := c.sweeps
	var found []lifecycle.Key
	for _, resource := range s.inventory.Tokens(c.kind, s.name) {
		if h := s.headOfToken(resource); h.fact == nil || h.deleted() {
			continue
		}
		key, err := s.heads.KeyOf(ctx, resource)
		if err != nil {
			return nil, logError{err}
		}
		if !c.list.has(key) && !s.deletions.waits(key) {
			found = append(found, key)
		}
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found, nil
}

// askThese returns which of the resources are gone by their own addresses, and how many are there. Where the answer cannot be
// read, or is a stored copy, it is unclear.
func (c *confirmation) fetchSiblings(ctx context.Context, keys []lifecycle.Key) (gone []lifecycle.Key, there int, err error) {
	missing, shown := make([]bool, len(keys)), atomic.Int64{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for i, key := range keys {
		group.Go(func() error {
			snapshot, err := c.sweeps.client.Get(ctx, mkio.Changes, key)
			switch {
			case err == nil && !snapshot.Moment.Stored:
				shown.Add(1)
			case mkio.IsNotFound(err) && !mkio.MomentOf(err).Stored:
				missing[i] = true
			case err != nil && !isResourceError(err):
				return err
			default:
				c.unclear.Store(key, true)
			}
			return nil
		})
	}
	err = group.Wait()
	return selected(keys, missing), int(shown.Load()), err
}

// absences are what the patience keeps of resources that were found gone.
func (c *confirmation) newWaiting(gone []lifecycle.Key) map[lifecycle.Key]waitingDeletion {
	s := c.sweeps
	found := make(map[lifecycle.Key]waitingDeletion, len(gone))
	for _, key := range gone {
		if h := s.headOf(key); h.fact != nil {
			fact, missing := c.missing[key]
			if !missing {
				fact = *h.fact
			}
			found[key] = waitingDeletion{sequence: fact.Sequence, lastSeen: s.reporter.lastSeen(s.lists.listOf(key), key, h)}
		}
	}
	return found
}

// alive counts the resources of the kind that lived when the sweep began, or its first try where it is tried again: what
// a failed one recorded makes a large deletion no smaller.
func (c *confirmation) countLiving(recent map[lifecycle.Key]time.Time) int {
	s, n := c.sweeps, 0
	for _, resource := range s.inventory.Tokens(c.kind, s.name) {
		h := s.headOfToken(resource)
		if h.fact != nil && !h.deleted() && (h.fact.Sequence <= c.horizon || h.fact.Transition > 1) {
			n++
		}
	}
	for key := range recent {
		if s.headOf(key).deleted() {
			n++
		}
	}
	return n
}
