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

// retrier is the handler of a bridge that was started again on what a fixture holds.
func (f *fixture) retrier(decoder mkio.Decoder, byArrival bool) *ingest.Handler {
	log := slog.New(slog.DiscardHandler)
	publisher := publish.New(f.js.Conn(), f.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", ByArrival: byArrival, Log: log})
	return ingest.New(ingest.Config{
		Observer: publisher, Unapplied: publisher, Deleter: lost{}, Previewer: publisher, Decoder: decoder, Log: log, Token: publisher.Token,
	})
}

// lost is a deletion that a crash undoes.
type lost struct{}

func (lost) DeleteUnapplied(context.Context, uint64) error { return nil }

// kept returns the only delivery that was put aside.
func (f *fixture) kept() lifecycle.Unapplied {
	f.t.Helper()
	var all []lifecycle.Unapplied
	for k, err := range eventlog.New(f.js, names).Unapplied(f.t.Context()) {
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, k.Delivery())
	}
	if len(all) != 1 {
		f.t.Fatalf("%d are kept", len(all))
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

// events returns the log's states in order.
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

func TestADeliveryThatIsRecognisedByNowBecomesAnEvent(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(delivery("1", "c", "Running", 10), nil)
	u := f.kept()
	f.wantRetried(f.retrier(mkio.Decoder{Projects: []string{"another"}}, false), u, false, "unrecognised false false")
	h := f.retrier(mkio.Decoder{}, false)
	f.wantRetried(h, u, true, "changed false false")
	if got := f.events(); got != "" {
		t.Fatalf("a dry run wrote %s", got)
	}
	f.wantRetried(h, u, false, "changed true true")
	f.wantRetried(h, u, false, "repeat false true") // after a crash, before it was removed
	for e, err := range eventlog.New(f.js, names).Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d := e.Event.Data.Delivery; d == nil || !d.ReceivedTime.Equal(u.Received) {
			t.Errorf("delivery %+v, which was received at %s", d, u.Received)
		}
	}
	if got := fmt.Sprint(f.reasons()); f.events() != "Running" || got != "[unrecognised]" {
		t.Errorf("the log holds %s, and kept is %s", f.events(), got)
	}
}

// A bridge that did not know how to read a hint stored the delivery as malformed. A newer one makes the event of it.
func TestADeliveryThatWasRefusedForAHintBecomesAnEvent(t *testing.T) {
	for _, at := range []string{`"2031-03-04T10:00:00.1234567"`, `"2031-03-04 10:00:00+0000"`, `""`, `7`, `"yesterday"`} {
		f := setUp(t, nil)
		body := strings.Replace(delivery("1", "c", "Running", 10), `"2031-03-04T10:00:10Z"`, at, 1)
		u := lifecycle.Unapplied{Reason: lifecycle.ReasonMalformed, Detail: `"time" is no RFC 3339 time`, Body: []byte(body), Length: len(body), Received: time.Now().UTC()}
		f.wantRetried(f.retrier(mkio.Decoder{}, true), u, false, "changed true true")
		if got := f.events(); got != "Running" {
			t.Errorf("of time %s the log holds %q", at, got)
		}
	}
}

func TestWhatBecomesNoEventWhenItIsRetriedIsNotKeptTwice(t *testing.T) {
	for _, tt := range []struct {
		name, before, kept string
		want               string
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
			f.post(tt.kept, nil)
			log := f.events()
			f.wantRetried(f.retrier(mkio.Decoder{}, true), f.kept(), false, tt.want)
			f.kept()
			if got := f.events(); got != log {
				t.Errorf("the log holds %s, and held %s", got, log)
			}
		})
	}
}

// Whoever has no token takes what comes in order of arrival. A delivery of long ago must not be the newest for that.
func TestAnOldDeliveryDoesNotGoBackInTime(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(strings.Replace(delivery("1", "c", "Deleted", 10), `"time":"2031-03-04T10:00:10Z",`, "", 1), nil)
	u := f.kept()
	h := f.retrier(mkio.Decoder{}, true)
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
		t.Errorf("the log holds %s", got)
	}
}

func TestABodyThatWasCutIsNotRetried(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.MaxBody = 4 << 20 })
	f.post(delivery("1", "c", "Running", 10)+strings.Repeat(" ", 2<<20)+"no JSON", nil)
	u := f.kept()
	f.wantRetried(f.retrier(mkio.Decoder{}, false), u, false, "cut false false")
	if got := f.events(); got != "" {
		t.Errorf("the log holds %s", got)
	}
}

func TestARetryThatCannotBeStoredSaysSo(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Decoder.Projects = []string{"another"} })
	f.post(delivery("1", "c", "Running", 10), nil)
	u, h := f.kept(), f.retrier(mkio.Decoder{}, false)
	f.js.Conn().Close()
	for _, dry := range []bool{false, true} {
		if r, err := h.Retry(t.Context(), 1, u, ingest.RetryOptions{DryRun: dry}); !errors.Is(err, publish.ErrUnavailable) || r.Deleted {
			t.Errorf("dry %t: %+v, %v", dry, r, err)
		}
	}
}
