package torture

import (
	"context"
	"errors"
	"time"
)

// Of a bridge with a server of its own.
var embeddedFaults = []fault{
	{name: "bridge killed again and again", do: func(ctx context.Context, w *world, lasts time.Duration) error {
		for range 3 {
			w.bridges[0].Kill()
			pause(ctx, time.Second+lasts/4)
		}
		return nil
	}},
	{name: "disk full", alone: true, possible: hasDisk, do: func(ctx context.Context, w *world, lasts time.Duration) error {
		if err := w.disk.fill(); err != nil {
			return err
		}
		pause(ctx, lasts)
		return w.disk.free()
	}},
	{name: "disk read-only", alone: true, possible: hasDisk, do: func(ctx context.Context, w *world, lasts time.Duration) error {
		b := w.bridges[0]
		var err error
		if err := errors.Join(w.without(b, func() { b.Kill(); err = w.disk.readOnly(true) }), err); err != nil {
			return err
		}
		pause(ctx, lasts)
		return errors.Join(w.without(b, func() { b.Kill(); err = w.disk.readOnly(false) }), err)
	}},
	{name: "store torn at its tail", alone: true, do: func(_ context.Context, w *world, _ time.Duration) error {
		b := w.bridges[0]
		var err error
		return errors.Join(w.without(b, func() { b.Kill(); err = tear(w.store, eventStream) }), err)
	}},
}
