package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/publish"
)

// deleting deletes stored deliveries, and notes what the log held when it was asked to.
type deleting struct {
	ingest.UnappliedDeleter
	f    *fixture
	fail error
	seen []string
}

func (d *deleting) DeleteUnapplied(ctx context.Context, sequence uint64) error {
	d.seen = append(d.seen, fmt.Sprintf("%d with %s", sequence, d.f.events()))
	if d.fail != nil {
		return d.fail
	}
	return d.UnappliedDeleter.DeleteUnapplied(ctx, sequence)
}

// deleter is the handler of a bridge that was started again, and what deletes for it.
func (f *fixture) deleter(observer ingest.Observer) (*ingest.Handler, *deleting) {
	log := slog.New(slog.DiscardHandler)
	publisher := publish.New(f.js.Conn(), f.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: log})
	d := &deleting{UnappliedDeleter: publisher, f: f}
	if observer == nil {
		observer = publisher
	}
	return ingest.New(ingest.Config{Observer: observer, Unapplied: publisher, Deleter: d, Previewer: publisher, Log: log, Token: publisher.Token}), d
}

// putAside leaves a delivery of a project that was not the bridge's.
func putAside(t *testing.T) *fixture {
	t.Helper()
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(delivery("1", "c", "Running", 10), nil)
	return f
}

// A crash between commit and deletion must leave the delivery stored: it is deleted when its event is in the log, also
// where whoever asked has left.
func TestADeliveryIsDeletedOnlyWhenItsEventIsCommitted(t *testing.T) {
	f := putAside(t)
	h, d := f.deleter(nil)
	gone, leave := context.WithCancel(t.Context())
	leave()
	r, err := h.Retry(gone, 1, f.kept(), ingest.RetryOptions{})
	if err != nil || !r.Event || !r.Deleted || fmt.Sprint(d.seen) != "[1 with Running]" {
		t.Errorf("%+v, %v; deleted %v", r, err, d.seen)
	}
	f.wantNoneStored()
}

func TestADeliveryThatCouldNotBeDeletedIsRetriedAgain(t *testing.T) {
	f := putAside(t)
	h, d := f.deleter(nil)
	u := f.kept()
	d.fail = publish.ErrUnavailable
	if r, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{}); !errors.Is(err, publish.ErrUnavailable) || r != (ingest.RetryResult{}) {
		t.Errorf("%+v, %v", r, err)
	}
	f.kept()
	d.fail = nil
	if r, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{}); err != nil || r.Outcome != "repeat" || r.Event || !r.Deleted {
		t.Errorf("%+v, %v", r, err)
	}
	f.wantNoneStored()
	if got := f.events(); got != "Running" {
		t.Errorf("the log holds %s", got)
	}
}

func TestWhatIsNotInTheLogIsNotDeleted(t *testing.T) {
	f := putAside(t)
	u := f.kept()
	h, d := f.deleter(failing{})
	if _, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{}); err == nil {
		t.Error("a commit that failed is no error")
	}
	if len(d.seen) > 0 {
		t.Errorf("after a commit that failed it deletes %v", d.seen)
	}
	h, d = f.deleter(nil)
	for _, options := range []ingest.RetryOptions{{DryRun: true}, {Keep: true}} {
		r, err := h.Retry(t.Context(), 1, u, options)
		if err != nil || r.Outcome != "changed" || r.Event == options.DryRun || r.Deleted || len(d.seen) > 0 {
			t.Errorf("%+v: %+v, %v; deleted %v", options, r, err, d.seen)
		}
	}
	f.kept()
}

func (f *fixture) wantNoneStored() {
	f.t.Helper()
	for k, err := range eventlog.New(f.js, names).Unapplied(f.t.Context()) {
		f.t.Errorf("stored: message %d, %s, %v", k.Sequence, k.Reason, err)
	}
}
