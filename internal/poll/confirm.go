package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// maxContradictions is how many resources a list may lack that exist. Rows shift while a list is walked; a
// list that lacks more is broken, and to visit all that it lacks would eat up the budget.
const maxContradictions = 20

// confirmGone visits what was recorded before a sweep and is not on the list. What is not there either is
// Deleted, if then the project itself still answers. What is wrong with one kind does not hold up the others of
// the list.
func (s *fullSweeps) confirmDeletions(ctx context.Context, l *list, seen map[string]bool, horizon uint64, t *tally) error {
	var errs []error
	for _, kind := range l.Kinds {
		missing, err := s.findMissing(ctx, l, kind, seen, horizon)
		if err == nil {
			t.addResources(kind, len(missing))
			c := confirmation{sweeps: s, list: l, kind: kind, missing: missing, horizon: l.progress.firstTryHorizon(horizon), tally: t}
			err = c.run(ctx)
			s.logResourceErrors(l, modeFull, &c.errs)
			t.noteFailure(c.errs.err())
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// A confirmation asks for the resources of one kind that a list lacks, by their own addresses, and records the end of those
// that are gone.
type confirmation struct {
	sweeps         *fullSweeps
	list           *list
	kind           lifecycle.Kind
	horizon        uint64 // what was recorded when the sweep was first tried
	missing        map[lifecycle.Key]lifecycle.Fact
	tally          *tally
	contradictions atomic.Int64 // how many of the missing exist
	notFound       sync.Map     // those that do not exist, by key, and the [mkio.Moment] of their 404
	unclear        sync.Map     // the keys of those of which no answer tells whether they exist now
	errs           resourceErrors
}

// goneAtOnce is how many missing resources are visited before those that are gone are recorded.
const confirmBatch = 100

// run records what is gone. Deletions that are too many at once wait, and their resources are visited again after
// DeletePatience.
func (c *confirmation) run(ctx context.Context) error {
	if len(c.missing) > 0 && c.sweeps.identity.blocksDeletions(c.tally) {
		return nil // nothing that is found out now could be recorded
	}
	fresh, expired := c.sweeps.deletions.split(c.list, c.kind, c.missing)
	if err := c.confirm(ctx, fresh, c.batchSize(fresh), c.holdsBack); err != nil {
		return err
	}
	return c.confirm(ctx, expired, confirmBatch, holdNothing)
}

// A withholder says whether what is gone waits instead of being recorded.
type holdBack func(ctx context.Context, gone []lifecycle.Key) (waits bool, err error)

// confirm visits resources, so many at once, and records the end of those that are gone and are not withheld.
func (c *confirmation) confirm(ctx context.Context, keys []lifecycle.Key, batchSize int, hold holdBack) error {
	for keys := range slices.Chunk(keys, batchSize) {
		gone, err := c.fetchMissing(ctx, keys)
		if err != nil {
			return err
		}
		if err := c.recordDeletions(ctx, gone, hold); err != nil {
			return err
		}
	}
	return nil
}

// visit returns which of the resources are gone by their own addresses.
func (c *confirmation) fetchMissing(ctx context.Context, keys []lifecycle.Key) ([]lifecycle.Key, error) {
	found := make([]bool, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for i, key := range keys {
		group.Go(func() error {
			gone, err := c.fetchOne(ctx, key)
			if found[i] = gone; err != nil {
				c.unclear.Store(key, true)
			}
			return c.errs.tolerate(err)
		})
	}
	err := group.Wait()
	return selected(keys, found), err
}

// chosen are those of the keys that are marked.
func selected(keys []lifecycle.Key, marked []bool) []lifecycle.Key {
	var found []lifecycle.Key
	for i, key := range keys {
		if marked[i] {
			found = append(found, key)
		}
	}
	return found
}

// suspects are those that are gone, and those that may be.
func (c *confirmation) suspects(gone []lifecycle.Key) []lifecycle.Key {
	all := slices.Clone(gone)
	for key := range c.unclear.Range {
		all = append(all, key.(lifecycle.Key))
	}
	return all
}

func (c *confirmation) fetchOne(ctx context.Context, key lifecycle.Key) (gone bool, err error) {
	s := c.sweeps
	if c.contradictions.Load() > maxContradictions {
		return false, fmt.Errorf("%w: it lacks %s and %d others at the least that MK.IO shows by their own addresses", errIncomplete, key, maxContradictions)
	}
	req := request{horizon: s.eventLog.Horizon(), via: lifecycle.Poll, tally: c.tally}
	snapshot, err := s.client.Get(ctx, mkio.Changes, key)
	switch {
	case mkio.IsNotFound(err) && mkio.MomentOf(err).Stored:
		return false, fmt.Errorf("%w: %w", err, ErrStored)
	case mkio.IsNotFound(err):
		c.notFound.Store(key, mkio.MomentOf(err))
		return true, nil
	case err != nil:
		return false, err
	}
	if snapshot.Moment.Stored {
		c.unclear.Store(key, true)
	} else {
		c.contradictions.Add(1)
		s.deletions.seen(key)
	}
	if req.moment = snapshot.Moment; snapshot.Shows {
		return false, s.reporter.report(ctx, c.list, snapshot.Row, snapshot.Observation(), req)
	}
	return false, nil
}

// record records the end of what is gone and not withheld, if the project answers.
func (c *confirmation) recordDeletions(ctx context.Context, gone []lifecycle.Key, hold holdBack) error {
	if len(gone) == 0 {
		return nil
	}
	if err := c.sweeps.confirmProject(ctx, c.list); err != nil {
		return fmt.Errorf("%d resources of it answer 404, and their project does not vouch for that: %w", len(gone), err)
	}
	if waits, err := hold(ctx, gone); waits || err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for _, key := range gone {
		moment, _ := c.notFound.Load(key) // before the project answered
		group.Go(func() error {
			return c.sweeps.recordDeletion(ctx, c.list, key, c.missing[key], moment.(mkio.Moment), c.tally)
		})
	}
	return group.Wait()
}

// missing returns what a list that was walked to its end should have shown of a kind and did not.
func (s *fullSweeps) findMissing(ctx context.Context, l *list, kind lifecycle.Kind, seen map[string]bool, horizon uint64) (map[lifecycle.Key]lifecycle.Fact, error) {
	found := map[lifecycle.Key]lifecycle.Fact{}
	for _, resource := range s.inventory.Tokens(kind, s.name) {
		if seen[resource] {
			continue
		}
		h := s.headOfToken(resource)
		if h.fact == nil || h.fact.Sequence > horizon || h.deleted() {
			continue
		}
		key, err := s.heads.KeyOf(ctx, resource)
		if err != nil {
			return nil, logError{err}
		}
		if parent, ok := mkio.ParentOf(key); !ok || parent == l.Parent {
			found[key] = *h.fact
		}
	}
	return found, nil
}

// projectAnswers returns nil if the project itself answers now, is the one that the log is of, and one of its lists can be
// read.
func (s *fullSweeps) confirmProject(ctx context.Context, l *list) error {
	if err := s.identity.check(ctx); err != nil {
		return err
	}
	// Where the token may not see the project, one of its lists speaks for it; and a broken gateway
	// may know the project and nothing in it.
	whole := l.List
	if l.hasParent() {
		if whole = s.lists.projectLists[0].List; s.lists.listOf(l.Parent) != nil {
			whole = s.lists.listOf(l.Parent).List
		}
	}
	pages, ok := s.client.Pages(whole, mkio.Filter{})
	if !ok {
		return errors.New("no path leads to it")
	}
	page, err := pages.Next(ctx, mkio.Changes, whole)
	if err == nil && page.Moment.Stored {
		return fmt.Errorf("the list of %s: %w", whole, ErrStored)
	}
	return err
}

// showGone records the end of a resource.
func (s *fullSweeps) recordDeletion(ctx context.Context, l *list, key lifecycle.Key, fact lifecycle.Fact, at mkio.Moment, t *tally) error {
	o := lifecycle.Observation{Key: key, State: lifecycle.StateDeleted, Life: fact.Life}
	err := s.reporter.report(ctx, l, mkio.Row{Key: key}, o, request{horizon: fact.Sequence, moment: at, via: lifecycle.Poll, tally: t, identityChecked: new(true)})
	if last := s.headOf(key).fact; last != nil {
		s.deletions.onEvent(key, *last)
	}
	return err
}
