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

// maxContradictions is how many existing resources a list may lack. Rows shift while a list is walked, so a few may; a list that
// lacks more is broken, and requesting all that it lacks would use up the budget.
const maxContradictions = 20

// confirmMissing confirms, or not, the deletions of what a sweep did not see. horizon is that of the log when the sweep began.
type confirmMissing func(ctx context.Context, l *list, seen map[string]bool, horizon uint64, t *tally) error

// errUnconfirmed is the error of a sweep whose list lacks resources, and that confirms none of them.
var errUnconfirmed = errors.New("the list lacks resources whose deletions are not confirmed")

// confirmNone returns errUnconfirmed where the list lacks resources that a full sweep would request.
func (s *fullSweeps) confirmNone(ctx context.Context, l *list, seen map[string]bool, horizon uint64, t *tally) error {
	for _, kind := range l.Kinds {
		missing, err := s.findMissing(ctx, l, kind, seen, horizon)
		if err != nil {
			return err
		}
		if fresh, expired := s.deletions.split(l, kind, missing); len(fresh)+len(expired) > 0 {
			return errUnconfirmed
		}
		t.addResources(kind, len(missing))
	}
	return nil
}

// confirmDeletions requests, by their own addresses, the resources that were recorded before a sweep and are not on the list.
// Those that respond 404 are recorded as Deleted, if the project itself still responds after that. An error of one kind does not
// stop the other kinds of the list.
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

// A confirmation confirms the deletions of one kind on one list. A resource is missing when the list lacks it, and gone when its
// own address responds 404 as well.
type confirmation struct {
	sweeps         *fullSweeps
	list           *list
	kind           lifecycle.Kind
	horizon        uint64 // of the log when the sweep was first tried
	missing        map[lifecycle.Key]lifecycle.Fact
	tally          *tally
	contradictions atomic.Int64 // how many missing resources exist
	notFound       sync.Map     // the gone resources: their keys, each with the [mkio.AsOf] of its 404
	unclear        sync.Map     // keys of resources for which no response says whether they exist now
	errs           resourceErrors
}

// confirmBatch is how many missing resources are requested before those that are gone are recorded.
const confirmBatch = 100

// run requests the missing resources, and records those that are gone. When these are too many at once, they wait and are
// requested again after DeletePatience.
func (c *confirmation) run(ctx context.Context) error {
	if len(c.missing) > 0 && c.sweeps.identity.blocksDeletions(c.tally) {
		return nil // no deletion could be recorded
	}
	fresh, expired := c.sweeps.deletions.split(c.list, c.kind, c.missing)
	if err := c.confirm(ctx, fresh, c.batchSize(fresh), c.holdsBack); err != nil {
		return err
	}
	return c.confirm(ctx, expired, confirmBatch, holdNothing)
}

// A holdBack decides whether the deletions of gone resources wait instead of being recorded.
type holdBack func(ctx context.Context, gone []lifecycle.Key) (waits bool, err error)

// confirm requests resources in batches, and records those of each batch that are gone, unless hold says that they wait.
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

// fetchMissing requests resources, and returns those that are gone.
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

// selected returns those of the keys that are marked.
func selected(keys []lifecycle.Key, marked []bool) []lifecycle.Key {
	var found []lifecycle.Key
	for i, key := range keys {
		if marked[i] {
			found = append(found, key)
		}
	}
	return found
}

// suspects returns the resources that are gone together with those that may be.
func (c *confirmation) suspects(gone []lifecycle.Key) []lifecycle.Key {
	all := slices.Clone(gone)
	for key := range c.unclear.Range {
		all = append(all, key.(lifecycle.Key))
	}
	return all
}

// fetchOne requests a missing resource. Where it exists, it is reported.
func (c *confirmation) fetchOne(ctx context.Context, key lifecycle.Key) (gone bool, err error) {
	s := c.sweeps
	if c.contradictions.Load() > maxContradictions {
		return false, fmt.Errorf("%w: it lacks %s and more than %d others that exist", errIncomplete, key, maxContradictions)
	}
	req := s.newRequest(lifecycle.Poll, c.tally)
	snapshot, err := s.client.Get(ctx, mkio.Changes, key)
	switch {
	case mkio.IsNotFound(err) && mkio.AsOfError(err).Stored:
		return false, fmt.Errorf("%w: %w", err, ErrStoredCopy)
	case mkio.IsNotFound(err):
		c.notFound.Store(key, mkio.AsOfError(err))
		return true, nil
	case err != nil:
		return false, err
	}
	if snapshot.AsOf.Stored {
		c.unclear.Store(key, true)
	} else {
		c.contradictions.Add(1)
		s.deletions.seen(key)
	}
	if req.asOf = snapshot.AsOf; snapshot.HasState {
		return false, s.reporter.report(ctx, c.list, snapshot.Row, snapshot.Observation(), req)
	}
	return false, nil
}

// recordDeletions records the deletions of gone resources, unless hold says that they wait. The project must respond first.
func (c *confirmation) recordDeletions(ctx context.Context, gone []lifecycle.Key, hold holdBack) error {
	if len(gone) == 0 {
		return nil
	}
	if err := c.sweeps.confirmProject(ctx, c.list); err != nil {
		return fmt.Errorf("%d of its resources respond 404, but their project could not be confirmed: %w", len(gone), err)
	}
	if waits, err := hold(ctx, gone); waits || err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrent)
	for _, key := range gone {
		asOf, _ := c.notFound.Load(key) // the deletion is of then, not of when the project responded
		group.Go(func() error {
			return c.sweeps.recordDeletion(ctx, c.list, key, c.missing[key], asOf.(mkio.AsOf), c.tally)
		})
	}
	return group.Wait()
}

// findMissing returns the recorded resources of a kind that should be on a complete list and are not.
func (s *fullSweeps) findMissing(ctx context.Context, l *list, kind lifecycle.Kind, seen map[string]bool, horizon uint64) (map[lifecycle.Key]lifecycle.Fact, error) {
	resources, err := s.recordedOn(l, kind)
	if err != nil {
		return nil, logError{err}
	}
	found := map[lifecycle.Key]lifecycle.Fact{}
	for _, resource := range resources {
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
		found[key] = *h.fact
	}
	return found, nil
}

// recordedOn returns the tokens of the recorded living resources of a kind that belong to a list.
func (s *fullSweeps) recordedOn(l *list, kind lifecycle.Kind) ([]string, error) {
	if l.hasParent() {
		return s.lists.childrenOf(l.Parent)
	}
	return s.inventory.Living(kind, s.name), nil
}

// confirmProject returns nil if the project responds now, is the log's own, and one of its lists can be read.
func (s *fullSweeps) confirmProject(ctx context.Context, l *list) error {
	if err := s.identity.check(ctx); err != nil {
		return err
	}
	// A token that may not see the project can read one of its lists; and a broken gateway may have the project, but nothing
	// below it.
	whole := l.List
	if l.hasParent() {
		if whole = s.lists.projectLists[0].List; s.lists.listOf(l.Parent) != nil {
			whole = s.lists.listOf(l.Parent).List
		}
	}
	pages, ok := s.client.Pages(whole, mkio.Filter{})
	if !ok {
		return fmt.Errorf("no API path for the list of %s", whole)
	}
	page, err := pages.Next(ctx, mkio.Changes, whole)
	if err == nil && page.AsOf.Stored {
		return fmt.Errorf("the list of %s: %w", whole, ErrStoredCopy)
	}
	return err
}

// recordDeletion records that a resource is Deleted. at is the Moment of its 404.
func (s *fullSweeps) recordDeletion(ctx context.Context, l *list, key lifecycle.Key, fact lifecycle.Fact, at mkio.AsOf, t *tally) error {
	o := lifecycle.Observation{Key: key, State: lifecycle.StateDeleted, Life: fact.Life}
	err := s.reporter.report(ctx, l, mkio.Row{Key: key}, o, request{horizon: fact.Sequence, asOf: at, via: lifecycle.Poll, tally: t, identityChecked: new(true)})
	if last := s.headOf(key).fact; last != nil {
		s.deletions.onEvent(key, *last)
	}
	return err
}
