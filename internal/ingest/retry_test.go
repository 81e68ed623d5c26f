package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/publish"
)

// retryingHandler returns the handler of a restarted bridge on the fixture's log.
func (f *fixture) retryingHandler(decoder mkio.Decoder, byArrival bool) *ingest.Handler {
	log := slog.New(slog.DiscardHandler)
	publisher := publish.New(f.js.Conn(), f.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", ByArrival: byArrival, Log: log})
	return ingest.New(ingest.Config{
		Observer: publisher, Unapplied: publisher, Deleter: noopDeleter{}, Previewer: publisher, Decoder: decoder, Log: log, Token: publisher.Token,
	})
}

// noopDeleter deletes nothing, as after a crash before the deletion.
type noopDeleter struct{}

func (noopDeleter) DeleteUnapplied(context.Context, uint64) error { return nil }

// unapplied returns the only unapplied delivery.
func (f *fixture) unapplied() lifecycle.Unapplied {
	f.t.Helper()
	var all []lifecycle.Unapplied
	for k, err := range eventlog.New(f.js, names).Unapplied(f.t.Context()) {
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, k.Delivery())
	}
	if len(all) != 1 {
		f.t.Fatalf("%d unapplied deliveries, want 1", len(all))
	}
	return all[0]
}

func (f *fixture) wantRetried(h *ingest.Handler, u lifecycle.Unapplied, dry bool, want string) {
	f.t.Helper()
	r, err := h.Retry(f.t.Context(), 1, u, ingest.RetryOptions{DryRun: dry})
	if got := fmt.Sprint(r.Outcome, " ", r.Event, " ", r.Deleted); err != nil || got != want || r.Why == "" {
		f.t.Errorf("retried: %s (%s), %v, want %s", got, r.Why, err, want)
	}
}

// events returns the states of the log's events, in order.
func (f *fixture) events() string {
	f.t.Helper()
	var states []string
	for e, err := range eventlog.New(f.js, names).Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		states = append(states, e.Event.Data.State)
	}
	return strings.Join(states, " ")
}

func TestRetryOfARecognisedDeliveryCommitsIt(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(delivery("1", "c", "Running", 10), nil)
	u := f.unapplied()
	f.wantRetried(f.retryingHandler(mkio.Decoder{Projects: []string{"another"}}, false), u, false, "unrecognised false false")
	h := f.retryingHandler(mkio.Decoder{}, false)
	f.wantRetried(h, u, true, "changed false false")
	if got := f.events(); got != "" {
		t.Fatalf("a dry run wrote %s", got)
	}
	f.wantRetried(h, u, false, "changed true true")
	f.wantRetried(h, u, false, "repeat false true") // after a crash before the deletion
	for e, err := range eventlog.New(f.js, names).Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d := e.Event.Data.Delivery; d == nil || !d.ReceivedTime.Equal(u.Received) {
			t.Errorf("delivery %+v, which was received at %s", d, u.Received)
		}
	}
	if got := fmt.Sprint(f.reasons()); f.events() != "Running" || got != "[unrecognised]" {
		t.Errorf("the log has %s, unapplied are %s", f.events(), got)
	}
}

// A delivery that an older version stored as malformed, because it could not read its time, becomes an event.
func TestRetryOfADeliveryWithAnUnreadableTime(t *testing.T) {
	for _, at := range []string{`"2031-03-04T10:00:00.1234567"`, `"2031-03-04 10:00:00+0000"`, `""`, `7`, `"yesterday"`} {
		f := setUp(t, nil)
		body := strings.Replace(delivery("1", "c", "Running", 10), `"2031-03-04T10:00:10Z"`, at, 1)
		u := lifecycle.Unapplied{Reason: lifecycle.ReasonMalformed, Detail: `"time" is no RFC 3339 time`, Body: []byte(body), Length: len(body), Received: time.Now().UTC()}
		f.wantRetried(f.retryingHandler(mkio.Decoder{}, true), u, false, "changed true true")
		if got := f.events(); got != "Running" {
			t.Errorf("of time %s the log has %q", at, got)
		}
	}
}

func TestRetryNeverStoresUnappliedTwice(t *testing.T) {
	for _, tt := range []struct {
		name, before, delivery string
		want                   string
	}{
		{"late", delivery("1", "c", "Running", 10), delivery("2", "c", "Starting", 5), "late false false"},
		{"conflict", delivery("1", "c", "Running", 10), delivery("2", "c", "Stopped", 10), "conflict false false"},
		{"malformed", "", "no JSON", "malformed false false"},
		{"a batch", "", "[" + strings.Repeat("1,", 1000) + "1]", "malformed false false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := setUp(t, nil)
			if tt.before != "" {
				f.post(tt.before, nil)
			}
			f.post(tt.delivery, nil)
			log := f.events()
			f.wantRetried(f.retryingHandler(mkio.Decoder{}, true), f.unapplied(), false, tt.want)
			f.unapplied()
			if got := f.events(); got != log {
				t.Errorf("the log has %s, before the retry %s", got, log)
			}
		})
	}
}

// Without an API token, observations are taken in order of arrival. A retried delivery must not become the newest by that.
func TestRetryDoesNotCountAsArrival(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(strings.Replace(delivery("1", "c", "Deleted", 10), `"time":"2031-03-04T10:00:10Z",`, "", 1), nil)
	u := f.unapplied()
	h := f.retryingHandler(mkio.Decoder{}, true)
	o, err := (mkio.Decoder{}).Decode([]byte(delivery("2", "c", "Running", 20)), u.Received)
	if err != nil {
		t.Fatal(err)
	}
	publisher := publish.New(f.js.Conn(), f.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	if v, err := publisher.Observe(t.Context(), o); err != nil || v.Outcome != lifecycle.Changed {
		t.Fatalf("%s, %v", v.Outcome, err)
	}
	f.wantRetried(h, u, false, "conflict false false")
	if got := f.events(); got != "Running" {
		t.Errorf("the log has %s", got)
	}
}

func TestCutBodyIsNotRetried(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.MaxBody = 4 << 20 })
	f.post(delivery("1", "c", "Running", 10)+strings.Repeat(" ", 2<<20)+"no JSON", nil)
	u := f.unapplied()
	f.wantRetried(f.retryingHandler(mkio.Decoder{}, false), u, false, "cut false false")
	if got := f.events(); got != "" {
		t.Errorf("the log has %s", got)
	}
}

func TestRetryReportsUnavailableStorage(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(delivery("1", "c", "Running", 10), nil)
	u, h := f.unapplied(), f.retryingHandler(mkio.Decoder{}, false)
	f.js.Conn().Close()
	for _, dry := range []bool{false, true} {
		if r, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{DryRun: dry}); !errors.Is(err, publish.ErrUnavailable) || r.Deleted {
			t.Errorf("dry %t: %+v, %v", dry, r, err)
		}
	}
}
