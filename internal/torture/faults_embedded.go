package torture

import (
	"context"
	"errors"
	"time"
)

// embeddedFaults are faults of a bridge with an embedded server.
var embeddedFaults = []fault{
	{name: "bridge killed repeatedly", run: func(ctx context.Context, w *world, duration time.Duration) error {
		for range 3 {
			w.bridges[0].Kill()
			pause(ctx, time.Second+duration/4)
		}
		return nil
	}},
	{name: "disk full", exclusive: true, possible: hasDisk, run: func(ctx context.Context, w *world, duration time.Duration) error {
		if err := w.disk.fill(); err != nil {
			return err
		}
		pause(ctx, duration)
		return w.disk.removeFiller()
	}},
	{name: "disk read-only", exclusive: true, possible: hasDisk, run: func(ctx context.Context, w *world, duration time.Duration) error {
		b := w.bridges[0]
		var err error
		if err := errors.Join(w.whileDown(b, func() { b.Kill(); err = w.disk.readOnly(true) }), err); err != nil {
			return err
		}
		pause(ctx, duration)
		return errors.Join(w.whileDown(b, func() { b.Kill(); err = w.disk.readOnly(false) }), err)
	}},
	{name: "store torn at its tail", exclusive: true, run: func(_ context.Context, w *world, _ time.Duration) error {
		b := w.bridges[0]
		var err error
		return errors.Join(w.whileDown(b, func() { b.Kill(); err = tear(w.store, eventStream) }), err)
	}},
}
