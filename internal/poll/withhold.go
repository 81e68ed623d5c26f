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
func (c *confirmation) atOnce(keys []lifecycle.Key) int {
	if c.sweeps.patience.tooMany(c.kind, keys, c.alive) {
		return max(len(keys), goneAtOnce)
	}
	return goneAtOnce
}

// confirmedAgain withholds nothing: the resources have waited.
func confirmedAgain(context.Context, []lifecycle.Key) (bool, error) { return false, nil }

// withheld says whether resources that were found gone for the first time wait to be confirmed again.
func (c *confirmation) withheld(ctx context.Context, gone []lifecycle.Key) (bool, error) {
	w := c.sweeps.patience
	switch {
	case w.after == 0:
		return false, nil
	case !c.list.below():
		return w.withhold(c.kind, c.absences(gone), c.suspects(gone), c.alive), nil
	case w.waits(c.list.Parent): // what lies below it is no more certain
		w.withholdAll(c.kind, c.absences(gone), c.alive)
		return true, nil
	}
	select { // one list after the other, or each would find itself the first
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if !w.tooMany(c.kind, c.suspects(gone), c.alive) {
		if err := c.askOthers(ctx, gone); err != nil {
			return false, err
		}
	}
	return w.withhold(c.kind, c.absences(gone), c.suspects(gone), c.alive), nil
}

// askOthers finds out whether what lies below other parents is gone as well, before the first of a kind is recorded: each
// list is short, and by itself has too few to tell an outage from a deletion. It asks until most are there, which is soon,
// or the gone are too many. Then those wait, and with them what their own lists will lack.
func (c *confirmation) askOthers(ctx context.Context, gone []lifecycle.Key) error {
	s := c.sweeps
	others, err := c.others(ctx)
	if err != nil || !s.patience.tooMany(c.kind, slices.Concat(gone, others), c.alive) {
		return err
	}
	there, asked, all := 0, 0, slices.Clone(gone)
	for keys := range slices.Chunk(others, maxConcurrent) {
		missing, shown, err := c.askThese(ctx, keys)
		if err != nil {
			return err
		}
		there, asked, all = there+shown, asked+len(keys), append(all, missing...)
		suspects := c.suspects(all)
		switch {
		case (asked-there)*partGone <= asked: // most are there
			return nil
		case s.patience.tooMany(c.kind, suspects, c.alive):
			s.patience.withhold(c.kind, c.absences(all), suspects, c.alive)
			s.confirmWhenDue(all[len(gone):])
			return nil
		}
	}
	return nil
}

// others are the resources of the kind below other parents, those that wait left out, in no order.
func (c *confirmation) others(ctx context.Context) ([]lifecycle.Key, error) {
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
		if !c.list.has(key) && !s.patience.waits(key) {
			found = append(found, key)
		}
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found, nil
}

// askThese returns which of the resources are gone by their own addresses, and how many are there. Where the answer cannot be
// read, or is a stored copy, it is unclear.
func (c *confirmation) askThese(ctx context.Context, keys []lifecycle.Key) (gone []lifecycle.Key, there int, err error) {
	missing, shown := make([]bool, len(keys)), atomic.Int64{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for i, key := range keys {
		group.Go(func() error {
			sight, err := c.sweeps.client.Get(ctx, mkio.Changes, key)
			switch {
			case err == nil && !sight.Moment.Stored:
				shown.Add(1)
			case mkio.IsNotFound(err) && !mkio.MomentOf(err).Stored:
				missing[i] = true
			case err != nil && !ofOne(err):
				return err
			default:
				c.unclear.Store(key, true)
			}
			return nil
		})
	}
	err = group.Wait()
	return chosen(keys, missing), int(shown.Load()), err
}

// absences are what the patience keeps of resources that were found gone.
func (c *confirmation) absences(gone []lifecycle.Key) map[lifecycle.Key]absence {
	s := c.sweeps
	found := make(map[lifecycle.Key]absence, len(gone))
	for _, key := range gone {
		if h := s.headOf(key); h.fact != nil {
			fact, missing := c.missing[key]
			if !missing {
				fact = *h.fact
			}
			found[key] = absence{sequence: fact.Sequence, shown: s.reporter.lastShown(s.lists.of(key), key, h)}
		}
	}
	return found
}

// alive counts the resources of the kind that lived when the sweep began, or its first try where it is tried again: what
// a failed one recorded makes a large deletion no smaller.
func (c *confirmation) alive(lately map[lifecycle.Key]time.Time) int {
	s, n := c.sweeps, 0
	for _, resource := range s.inventory.Tokens(c.kind, s.name) {
		h := s.headOfToken(resource)
		if h.fact != nil && !h.deleted() && (h.fact.Sequence <= c.horizon || h.fact.Transition > 1) {
			n++
		}
	}
	for key := range lately {
		if s.headOf(key).deleted() {
			n++
		}
	}
	return n
}
