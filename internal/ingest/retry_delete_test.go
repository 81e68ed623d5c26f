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

// recordingDeleter deletes unapplied deliveries, and records the log's events at each call.
type recordingDeleter struct {
	ingest.UnappliedDeleter
	f         *fixture
	fail      error
	deletions []string
}

func (d *recordingDeleter) DeleteUnapplied(ctx context.Context, sequence uint64) error {
	d.deletions = append(d.deletions, fmt.Sprintf("%d with %s", sequence, d.f.events()))
	if d.fail != nil {
		return d.fail
	}
	return d.UnappliedDeleter.DeleteUnapplied(ctx, sequence)
}

// deletingHandler returns the handler of a restarted bridge, and its deleter.
func (f *fixture) deletingHandler(observer ingest.Observer) (*ingest.Handler, *recordingDeleter) {
	log := slog.New(slog.DiscardHandler)
	publisher := publish.New(f.js.Conn(), f.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: log})
	d := &recordingDeleter{UnappliedDeleter: publisher, f: f}
	if observer == nil {
		observer = publisher
	}
	return ingest.New(ingest.Config{Observer: observer, Unapplied: publisher, Deleter: d, Previewer: publisher, Log: log, Token: publisher.Token}), d
}

// storeUnrecognised stores an unapplied delivery: one of a project that is not configured.
func storeUnrecognised(t *testing.T) *fixture {
	t.Helper()
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(delivery("1", "c", "Running", 10), nil)
	return f
}

// A crash between commit and deletion must leave the delivery stored: it is deleted only after its event is in the log, even
// if the client has disconnected.
func TestRetryDeletesOnlyAfterTheCommit(t *testing.T) {
	f := storeUnrecognised(t)
	h, d := f.deletingHandler(nil)
	disconnected, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := h.Retry(disconnected, 1, f.unapplied(), ingest.RetryOptions{})
	if err != nil || !r.Event || !r.Deleted || fmt.Sprint(d.deletions) != "[1 with Running]" {
		t.Errorf("%+v, %v; deleted %v", r, err, d.deletions)
	}
	f.wantNoneStored()
}

func TestRetryAfterAFailedDeletion(t *testing.T) {
	f := storeUnrecognised(t)
	h, d := f.deletingHandler(nil)
	u := f.unapplied()
	d.fail = publish.ErrUnavailable
	if r, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{}); !errors.Is(err, publish.ErrUnavailable) || r != (ingest.RetryResult{}) {
		t.Errorf("%+v, %v", r, err)
	}
	f.unapplied()
	d.fail = nil
	if r, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{}); err != nil || r.Outcome != "repeat" || r.Event || !r.Deleted {
		t.Errorf("%+v, %v", r, err)
	}
	f.wantNoneStored()
	if got := f.events(); got != "Running" {
		t.Errorf("the log has %s", got)
	}
}

func TestRetryDeletesNothingWithoutACommit(t *testing.T) {
	f := storeUnrecognised(t)
	u := f.unapplied()
	h, d := f.deletingHandler(failingStore{})
	if _, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{}); err == nil {
		t.Error("a failed commit returns no error")
	}
	if len(d.deletions) > 0 {
		t.Errorf("after a failed commit: deleted %v", d.deletions)
	}
	h, d = f.deletingHandler(nil)
	for _, options := range []ingest.RetryOptions{{DryRun: true}, {Keep: true}} {
		r, err := h.Retry(t.Context(), 1, u, options)
		if err != nil || r.Outcome != "changed" || r.Event == options.DryRun || r.Deleted || len(d.deletions) > 0 {
			t.Errorf("%+v: %+v, %v; deleted %v", options, r, err, d.deletions)
		}
	}
	f.unapplied()
}

func (f *fixture) wantNoneStored() {
	f.t.Helper()
	for k, err := range eventlog.New(f.js, names).Unapplied(f.t.Context()) {
		f.t.Errorf("stored: message %d, %s, %v", k.Sequence, k.Reason, err)
	}
}
