package torture

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Times of the schedule.
const (
	shortest  = time.Second // a fault
	longest   = 8 * time.Second
	calm      = 2 * time.Second // between faults, for what comes to pile up
	recovery  = 90 * time.Second
	writeLead = 5 * time.Second // of MK.IO's script, on our clock
)

// plenty is how many deliveries may be under way before MK.IO's resources rest: more than bridges and machine carry would
// pile up until the end.
const plenty = 1024

// torture makes faults, one after another and some of them two at a time, while MK.IO's traffic goes on.
func (w *world) torture(ctx context.Context) error {
	faults := w.possible()
	if len(faults) == 0 {
		return fmt.Errorf("no fault has one of the words %q", w.config.Faults)
	}
	writing, finish := context.WithTimeout(ctx, w.config.For)
	defer finish()
	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { w.write(writing) })

	order := w.shuffled(faults)
	for writing.Err() == nil && !w.enough() {
		pause(writing, calm)
		if len(order) == 0 {
			order = w.shuffled(faults)
		}
		var next []fault
		next, order = w.take(order)
		if err := w.make(ctx, next); err != nil {
			return err
		}
	}
	finish() // before the background is waited for
	return nil
}

func (w *world) enough() bool { return w.config.Enough > 0 && w.report.Made() >= w.config.Enough }

// possible are the faults that were chosen and can be made here.
func (w *world) possible() []fault {
	all := append(slices.Clone(commonFaults), clusterFaults...)
	if w.config.Embedded {
		all = append(slices.Clone(commonFaults), embeddedFaults...)
	}
	return slices.DeleteFunc(named(all, w.config.Faults), func(f fault) bool {
		if f.possible == nil || f.possible(w) {
			return false
		}
		w.report.Impossible = append(w.report.Impossible, f.name)
		return true
	})
}

func (w *world) shuffled(faults []fault) []fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	mixed := slices.Clone(faults)
	w.rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	return mixed
}

// take takes the next fault, or the next two, which then happen at the same time.
func (w *world) take(order []fault) (next, rest []fault) {
	if len(order) > 1 && !order[0].alone && !order[1].alone && w.draw(4) == 0 {
		return order[:2], order[2:]
	}
	return order[:1], order[1:]
}

// make makes faults, and waits until all bridges are ready again.
func (w *world) make(ctx context.Context, faults []fault) error {
	lasts := shortest + time.Duration(w.draw(int(longest-shortest)))
	errs := make([]error, len(faults))
	var under sync.WaitGroup
	for i, f := range faults {
		w.config.Log.Info("fault", "name", f.name, "lasts", lasts.Round(time.Millisecond))
		under.Go(func() { errs[i] = f.do(ctx, w, lasts) })
	}
	under.Wait()
	healed := time.Now()
	for i, f := range faults {
		if errs[i] != nil && ctx.Err() == nil {
			w.config.Log.Warn("the fault could not be made as it was meant", "name", f.name, "error", errs[i])
		}
	}
	err := w.green(ctx, recovery)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	took := time.Since(healed)
	for i, f := range faults {
		w.report.made(f.name, errs[i] == nil, took)
	}
	if took > 15*time.Second {
		w.config.Log.Warn("it took long until all bridges were ready", "took", took.Round(time.Second), "why", w.unready.Load())
	}
	if err != nil {
		w.report.bad("not ready within %s after %s: %v", recovery, faults[0].name, err)
	}
	return nil
}

// write keeps MK.IO's script ahead of its clock.
func (w *world) write(ctx context.Context) {
	writer := newWriter(w.config.Seed, w.config.Slots, w.fake.Now())
	for ctx.Err() == nil {
		until := w.fake.Now().Add(speed * writeLead)
		if w.fake.Sending() > plenty {
			writer.rest(until)
		}
		w.fake.Play(writer.write(until))
		pause(ctx, writeLead/4)
	}
}

// tell says now and then how far it is.
func (w *world) tell(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, 30*time.Second)
		w.config.Log.Info("so far", "deliveries", w.sender.deliveries(), "answers", w.sender.oracle.Answers())
	}
}
