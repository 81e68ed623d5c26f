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
	minDuration     = time.Second // of a fault
	maxDuration     = 8 * time.Second
	calm            = 2 * time.Second // between faults, so that deliveries accumulate
	recoveryTimeout = 90 * time.Second
	writeLead       = 5 * time.Second // of MK.IO's script, in real time
)

// maxInFlight is how many deliveries may be in flight before MK.IO's script pauses: more than bridges and machine can handle
// would accumulate until the end.
const maxInFlight = 1024

// torture injects faults, one after another and some two at a time, while MK.IO's script plays.
func (w *world) torture(ctx context.Context) error {
	faults := w.possibleFaults()
	if len(faults) == 0 {
		return fmt.Errorf("no fault name contains one of %q", w.config.Faults)
	}
	writing, finish := context.WithTimeout(ctx, w.config.For)
	defer finish()
	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { w.writeScript(writing) })

	order := w.shuffled(faults)
	for writing.Err() == nil && !w.done() {
		pause(writing, calm)
		if len(order) == 0 {
			order = w.shuffled(faults)
		}
		var next []fault
		next, order = w.next(order)
		if err := w.runFaults(ctx, next); err != nil {
			return err
		}
	}
	finish() // ends the background before it is waited for
	return nil
}

func (w *world) done() bool {
	return w.config.MaxFaults > 0 && w.report.FaultCount() >= w.config.MaxFaults
}

// possibleFaults returns the selected faults that are possible in this setup.
func (w *world) possibleFaults() []fault {
	all := append(slices.Clone(commonFaults), clusterFaults...)
	if w.config.Embedded {
		all = append(slices.Clone(commonFaults), embeddedFaults...)
	}
	return slices.DeleteFunc(selectFaults(all, w.config.Faults), func(f fault) bool {
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

// next returns the next fault, or the next two, which then run at the same time.
func (w *world) next(order []fault) (faults, rest []fault) {
	if len(order) > 1 && !order[0].exclusive && !order[1].exclusive && w.draw(4) == 0 {
		return order[:2], order[2:]
	}
	return order[:1], order[1:]
}

// runFaults injects faults at the same time, and waits until all bridges are ready again.
func (w *world) runFaults(ctx context.Context, faults []fault) error {
	duration := minDuration + time.Duration(w.draw(int(maxDuration-minDuration)))
	errs := make([]error, len(faults))
	var running sync.WaitGroup
	for i, f := range faults {
		w.config.Log.Info("fault", "name", f.name, "duration", duration.Round(time.Millisecond))
		running.Go(func() { errs[i] = f.run(ctx, w, duration) })
	}
	running.Wait()
	healed := time.Now()
	for i, f := range faults {
		if errs[i] != nil && ctx.Err() == nil {
			w.config.Log.Warn("fault not injected", "name", f.name, "error", errs[i])
		}
	}
	err := w.awaitReady(ctx, recoveryTimeout)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	took := time.Since(healed)
	for i, f := range faults {
		w.report.record(f.name, errs[i] == nil, took)
	}
	if took > 15*time.Second {
		w.config.Log.Warn("bridges recovered slowly", "took", took.Round(time.Second), "why", w.unready.Load())
	}
	if err != nil {
		w.report.violation("not ready within %s after %s: %v", recoveryTimeout, faults[0].name, err)
	}
	return nil
}

// writeScript keeps MK.IO's script ahead of its clock.
func (w *world) writeScript(ctx context.Context) {
	writer := newWriter(w.config.Seed, w.config.Resources, w.fake.Now())
	for ctx.Err() == nil {
		until := w.fake.Now().Add(speed * writeLead)
		if w.fake.InFlight() > maxInFlight {
			writer.pauseUntil(until)
		}
		w.fake.Play(writer.write(until))
		pause(ctx, writeLead/4)
	}
}

// logProgress logs the progress every 30 seconds.
func (w *world) logProgress(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, 30*time.Second)
		w.config.Log.Info("progress", "deliveries", w.sender.deliveries(), "responses", w.sender.oracle.Statuses())
	}
}
