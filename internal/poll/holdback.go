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

// batchSize returns how many missing resources are requested before those that are gone are recorded: all of them where they
// may turn out to be too many.
func (c *confirmation) batchSize(keys []lifecycle.Key) int {
	if c.sweeps.deletions.tooMany(c.kind, keys, c.countLiving) {
		return max(len(keys), confirmBatch)
	}
	return confirmBatch
}

// holdNothing is the holdBack of resources that have waited already.
func holdNothing(context.Context, []lifecycle.Key) (bool, error) { return false, nil }

// holdsBack is the holdBack of resources that were found gone for the first time.
func (c *confirmation) holdsBack(ctx context.Context, gone []lifecycle.Key) (bool, error) {
	d := c.sweeps.deletions
	switch {
	case d.patience == 0:
		return false, nil
	case !c.list.hasParent():
		return d.holdIfTooMany(c.kind, c.newWaiting(gone), c.suspects(gone), c.countLiving), nil
	case d.waits(c.list.Parent): // the children of a parent that may exist may exist too
		d.holdAll(c.kind, c.newWaiting(gone), c.countLiving)
		return true, nil
	}
	select { // one list at a time: concurrent lists would each find that only few are gone
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

// sampleSiblings checks whether resources below other parents are gone as well, before the first deletion of a kind is
// recorded: child lists are short, and one alone has too few resources to distinguish an outage from a deletion. It requests
// siblings until most of them exist, which is soon, or too many are gone. In the second case all gone resources wait.
func (c *confirmation) sampleSiblings(ctx context.Context, gone []lifecycle.Key) error {
	s := c.sweeps
	siblings, err := c.siblings(ctx)
	if err != nil || !s.deletions.tooMany(c.kind, slices.Concat(gone, siblings), c.countLiving) {
		return err
	}
	exist, checked, all := 0, 0, slices.Clone(gone)
	for keys := range slices.Chunk(siblings, maxConcurrent) {
		missing, existing, err := c.fetchSiblings(ctx, keys)
		if err != nil {
			return err
		}
		exist, checked, all = exist+existing, checked+len(keys), append(all, missing...)
		suspects := c.suspects(all)
		switch {
		case (checked-exist)*maxAtOnceDivisor <= checked: // most exist
			return nil
		case s.deletions.tooMany(c.kind, suspects, c.countLiving):
			s.deletions.holdIfTooMany(c.kind, c.newWaiting(all), suspects, c.countLiving)
			s.scheduleConfirmations(all[len(gone):])
			return nil
		}
	}
	return nil
}

// siblings returns, in random order, the recorded resources of the kind on other lists, without those whose deletion waits.
func (c *confirmation) siblings(ctx context.Context) ([]lifecycle.Key, error) {
	s := c.sweeps
	var found []lifecycle.Key
	for _, resource := range s.inventory.Living(c.kind, s.name) {
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

// fetchSiblings requests resources, and returns those that are gone and how many exist. A resource whose response cannot be
// parsed, or is a stored copy, counts as unclear.
func (c *confirmation) fetchSiblings(ctx context.Context, keys []lifecycle.Key) (gone []lifecycle.Key, exist int, err error) {
	missing, existing := make([]bool, len(keys)), atomic.Int64{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for i, key := range keys {
		group.Go(func() error {
			snapshot, err := c.sweeps.client.Get(ctx, mkio.Changes, key)
			switch {
			case err == nil && !snapshot.AsOf.Stored:
				existing.Add(1)
			case mkio.IsNotFound(err) && !mkio.AsOfError(err).Stored:
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
	return selected(keys, missing), int(existing.Load()), err
}

// newWaiting returns what waitingDeletions stores of gone resources.
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

// countLiving is the livingCount of the kind, as of the first try of the sweep: resources that a failed try recorded as new
// must not make a large deletion look small.
func (c *confirmation) countLiving(recent map[lifecycle.Key]time.Time, enough int) int {
	s, n := c.sweeps, 0
	for key := range recent {
		if s.headOf(key).deleted() {
			n++
		}
	}
	for _, resource := range s.inventory.Living(c.kind, s.name) {
		if n >= enough {
			break
		}
		h := s.headOfToken(resource)
		if h.fact != nil && !h.deleted() && (h.fact.Sequence <= c.horizon || h.fact.Transition > 1) {
			n++
		}
	}
	return n
}
