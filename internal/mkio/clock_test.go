package mkio

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
)

// An upstream is MK.IO's API with a configurable Date and Age, in virtual time.
type upstream struct {
	t             *testing.T
	client        *Client
	logs          bridgetest.Buffer
	offset        time.Duration // of MK.IO's clock from the bridge's
	age           time.Duration // 0: no Age
	fixed         time.Time     // Date; zero: now
	noDate        bool          // no Date
	status        int
	delay         time.Duration
	requestHeader http.Header
}

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	u.requestHeader = r.Header
	time.Sleep(u.delay)
	w := httptest.NewRecorder()
	date := time.Now().Add(u.offset)
	if !u.fixed.IsZero() {
		date = u.fixed
	}
	if !u.noDate {
		w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
	}
	if u.age > 0 {
		w.Header().Set("Age", strconv.Itoa(int(u.age/time.Second)))
	}
	w.WriteHeader(u.status)
	_, _ = w.WriteString(`{"status":{"state":"Ready"},"error":{"code":"NotFound","detail":"x"}}`)
	return w.Result(), nil
}

// withClock runs a test with an upstream whose clock is off from the bridge's.
func withClock(t *testing.T, offset time.Duration, test func(u *upstream)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{t: t, offset: offset, status: http.StatusOK}
		client, err := NewClient(ClientConfig{
			BaseURL: "https://mkio.test", Token: func() string { return testToken }, PerMinute: 100000, Transport: u,
			Log: slog.New(slog.NewTextHandler(&u.logs, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		u.client = client
		test(u)
	})
}

// response sends a request and returns the AsOf of the response.
func (u *upstream) response() AsOf {
	u.t.Helper()
	key, _ := lifecycle.NewKey(lifecycle.Asset, "p", "a")
	_, asOf, err := u.client.State(u.t.Context(), Urgent, key)
	if err != nil {
		if asOf = AsOfError(err); asOf.To.IsZero() {
			u.t.Fatal(err)
		}
	}
	return asOf
}

// responsesFor sends a request at an interval for some time, and returns the last AsOf.
func (u *upstream) responsesFor(d, every time.Duration) (last AsOf) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(every) {
		last = u.response()
	}
	return last
}

// now returns the time of MK.IO's clock.
func (u *upstream) now() time.Time { return time.Now().Add(u.offset) }

// wantAsOf checks when a response was current, within two seconds.
func (u *upstream) wantAsOf(m AsOf, want time.Time, stored bool) {
	u.t.Helper()
	if m.To.Before(want) || m.To.After(want.Add(2*time.Second)) || m.Stored != stored || m.From.After(m.To) {
		u.t.Errorf("the response is of %s to %s, stored %t, want %s, %t", m.From, m.To, m.Stored, want, stored)
	}
}

func (u *upstream) wantWarning(want bool) {
	u.t.Helper()
	if got := strings.Contains(u.logs.String(), "clock was set back"); got != want {
		u.t.Errorf("warning that the clock was set back: %t, want %t\n%s", got, want, u.logs.String())
	}
}

func TestRequestsSendCacheControlNoCache(t *testing.T) {
	withClock(t, 0, func(u *upstream) {
		u.response()
		if got := u.requestHeader.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control: %q", got)
		}
	})
}

func TestResponseAsOf(t *testing.T) {
	const hours = 2 * time.Hour
	for _, tt := range []struct {
		name   string
		off    time.Duration
		change func(u *upstream)
		ago    time.Duration
		stored bool
	}{
		{"a current response", 0, func(*upstream) {}, 0, false},
		{"a current response, by a clock that is off", -hours, func(*upstream) {}, 0, false},
		{"a clock that is a little behind that of another server", 0, func(u *upstream) { u.fixed = u.now().Add(-5 * time.Second) }, 0, false},
		{"a copy with its Date and its Age", 0, func(u *upstream) { u.fixed, u.age = u.now().Add(-hours), hours }, hours, true},
		{"the same, by a clock that is off", hours, func(u *upstream) { u.fixed, u.age = u.now().Add(-hours), hours }, hours, true},
		{"a copy with its Date alone", 0, func(u *upstream) { u.fixed = u.now().Add(-hours) }, hours, true},
		{"the same, by a clock that is off", hours, func(u *upstream) { u.fixed = u.now().Add(-hours) }, hours, true},
		{"a copy of some seconds", 0, func(u *upstream) { u.fixed = u.now().Add(-10 * time.Second) }, 10 * time.Second, true},
		{"a copy with its Age and a Date of now", 0, func(u *upstream) { u.age = hours }, hours, true},
		{"a copy with its Age alone", 0, func(u *upstream) { u.age, u.noDate = hours, true }, hours, true},
		{"neither Date nor Age", 0, func(u *upstream) { u.noDate = true }, 0, false},
		{"neither Date nor Age, by a clock that is off", -hours, func(u *upstream) { u.noDate = true }, 0, false},
		{"a copy of a 404", 0, func(u *upstream) { u.fixed, u.status = u.now().Add(-hours), http.StatusNotFound }, hours, true},
		{"a current 404", 0, func(u *upstream) { u.status = http.StatusNotFound }, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withClock(t, tt.off, func(u *upstream) {
				u.responsesFor(10*time.Minute, 5*time.Second)
				tt.change(u)
				sent := u.now()
				m := u.response()
				u.wantAsOf(m, sent.Add(-tt.ago).Truncate(time.Second), tt.stored)
				if off := m.Clock.Sub(u.now()); off < -2*time.Second || off > 2*time.Second {
					t.Errorf("the clock is off by %s", off)
				}
				u.wantWarning(false)
			})
		})
	}
}

// A slow response counts as current from when its request was sent.
func TestSlowResponseAsOf(t *testing.T) {
	withClock(t, 0, func(u *upstream) {
		u.responsesFor(time.Minute, 5*time.Second)
		u.delay = time.Minute
		sent := u.now()
		m := u.response()
		if m.Stored || m.From.After(sent) || m.To.Before(u.now().Truncate(time.Second)) {
			t.Errorf("sent at %s, received at %s: the response is of %s to %s, stored %t", sent, u.now(), m.From, m.To, m.Stored)
		}
	})
}

// The clock is set back once all responses agree on the earlier time for two minutes, and not before.
func TestClockSetBack(t *testing.T) {
	for _, back := range []time.Duration{30 * time.Second, time.Hour} {
		withClock(t, 0, func(u *upstream) {
			u.responsesFor(10*time.Minute, 5*time.Second)
			u.offset = -back
			if m := u.responsesFor(agreeFor-5*time.Second, 5*time.Second); !m.Stored {
				t.Error("an earlier Date is accepted at once")
			}
			u.wantWarning(false)
			u.responsesFor(10*time.Second, 5*time.Second)
			m := u.response()
			u.wantAsOf(m, u.now().Truncate(time.Second), false)
			if m.Clock.After(u.now().Add(time.Second)) {
				t.Errorf("the clock is %s, MK.IO's %s", m.Clock, u.now())
			}
			u.wantWarning(true)
		})
	}
}

func TestClockSetForward(t *testing.T) {
	withClock(t, 0, func(u *upstream) {
		u.responsesFor(10*time.Minute, 5*time.Second)
		u.offset = time.Hour
		u.wantAsOf(u.response(), u.now().Truncate(time.Second), false)
		u.wantWarning(false)
	})
}

// Stored copies do not set the clock back: they stand still, or current responses arrive between them.
func TestStoredResponsesDoNotSetTheClock(t *testing.T) {
	t.Run("one", func(t *testing.T) {
		withClock(t, 0, func(u *upstream) {
			u.responsesFor(10*time.Minute, 5*time.Second)
			u.fixed = u.now().Add(-time.Hour)
			if m := u.responsesFor(time.Hour, 5*time.Second); !m.Stored {
				t.Error("a stored copy counts as current")
			}
			u.wantWarning(false)
			u.fixed = time.Time{}
			u.wantAsOf(u.response(), u.now().Truncate(time.Second), false)
		})
	})
	t.Run("renewed now and then", func(t *testing.T) {
		withClock(t, 0, func(u *upstream) {
			u.responsesFor(10*time.Minute, 5*time.Second)
			for range 60 {
				u.fixed = u.now()
				u.responsesFor(time.Minute, 5*time.Second)
			}
			u.wantWarning(false)
		})
	})
	t.Run("with an Age, each an hour old", func(t *testing.T) {
		withClock(t, 0, func(u *upstream) {
			u.responsesFor(10*time.Minute, 5*time.Second)
			u.offset, u.age = -time.Hour, time.Hour
			if m := u.responsesFor(time.Hour, 5*time.Second); !m.Stored {
				t.Error("a stored copy counts as current")
			}
			u.wantWarning(false)
		})
	})
	t.Run("errors that are not MK.IO's", func(t *testing.T) {
		withClock(t, 0, func(u *upstream) {
			u.responsesFor(time.Minute, 5*time.Second)
			for range 100 {
				u.client.clock.asOf(u.client.clock.sent(), http.Header{"Date": {u.now().Add(-time.Hour).UTC().Format(http.TimeFormat)}}, false)
				time.Sleep(5 * time.Second)
			}
			u.wantWarning(false)
		})
	})
}

// The first responses may be stored copies, so the clock is confirmed only by the bridge's own clock, or by time.
func TestClockConfirmation(t *testing.T) {
	confirmed := func(u *upstream) bool { return !u.response().Clock.IsZero() }
	t.Run("by the bridge's own clock", func(t *testing.T) {
		withClock(t, time.Second, func(u *upstream) {
			if !confirmed(u) {
				t.Error("the clock is not confirmed")
			}
		})
	})
	t.Run("by time", func(t *testing.T) {
		withClock(t, -time.Hour, func(u *upstream) {
			if confirmed(u) {
				t.Error("the clock is confirmed at once")
			}
			u.responsesFor(agreeFor, 5*time.Second)
			if !confirmed(u) {
				t.Error("the clock is never confirmed")
			}
		})
	})
	t.Run("not by a copy", func(t *testing.T) {
		withClock(t, 0, func(u *upstream) {
			u.fixed = u.now().Add(-2 * time.Hour)
			u.responsesFor(time.Hour, 5*time.Second)
			if confirmed(u) {
				t.Error("a stored copy confirms the clock")
			}
		})
	})
}
