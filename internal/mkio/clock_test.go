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

// An upstream answers with a Date and an Age as it is told to, in a bubble of virtual time.
type upstream struct {
	t      *testing.T
	client *Client
	logs   bridgetest.Buffer
	off    time.Duration // of MK.IO's clock from that of the bridge
	age    time.Duration // 0: no Age
	fixed  time.Time     // Date; zero: now
	silent bool          // no Date
	status int
	takes  time.Duration
	asked  http.Header
}

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	u.asked = r.Header
	time.Sleep(u.takes)
	w := httptest.NewRecorder()
	date := time.Now().Add(u.off)
	if !u.fixed.IsZero() {
		date = u.fixed
	}
	if !u.silent {
		w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
	}
	if u.age > 0 {
		w.Header().Set("Age", strconv.Itoa(int(u.age/time.Second)))
	}
	w.WriteHeader(u.status)
	_, _ = w.WriteString(`{"status":{"state":"Ready"},"error":{"code":"NotFound","detail":"x"}}`)
	return w.Result(), nil
}

// inClock runs a test with a MK.IO whose clock is off from that of the bridge.
func inClock(t *testing.T, off time.Duration, test func(u *upstream)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{t: t, off: off, status: http.StatusOK}
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

// ask returns the moment of an answer.
func (u *upstream) ask() Moment {
	u.t.Helper()
	key, _ := lifecycle.NewKey(lifecycle.Asset, "p", "a")
	_, moment, err := u.client.State(u.t.Context(), Urgent, key)
	if err != nil {
		if moment = MomentOf(err); moment.To.IsZero() {
			u.t.Fatal(err)
		}
	}
	return moment
}

// askFor asks every so often for some time.
func (u *upstream) askFor(d, every time.Duration) (last Moment) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(every) {
		last = u.ask()
	}
	return last
}

// now is MK.IO's clock.
func (u *upstream) now() time.Time { return time.Now().Add(u.off) }

// of checks when MK.IO took what an answer shows, to two seconds.
func (u *upstream) of(m Moment, want time.Time, stored bool) {
	u.t.Helper()
	if m.To.Before(want) || m.To.After(want.Add(2*time.Second)) || m.Stored != stored || m.From.After(m.To) {
		u.t.Errorf("the answer is of %s to %s, stored %t, want %s, %t", m.From, m.To, m.Stored, want, stored)
	}
}

func (u *upstream) warned(want bool) {
	u.t.Helper()
	if got := strings.Contains(u.logs.String(), "clock was set back"); got != want {
		u.t.Errorf("a warning that the clock was set: %t, want %t\n%s", got, want, u.logs.String())
	}
}

func TestNoStoredCopyIsAskedFor(t *testing.T) {
	inClock(t, 0, func(u *upstream) {
		u.ask()
		if got := u.asked.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control: %q", got)
		}
	})
}

func TestTheMomentOfAnAnswer(t *testing.T) {
	const hours = 2 * time.Hour
	for _, tt := range []struct {
		name   string
		off    time.Duration
		change func(u *upstream)
		ago    time.Duration
		stored bool
	}{
		{"an answer of now", 0, func(*upstream) {}, 0, false},
		{"an answer of now, by a clock that is off", -hours, func(*upstream) {}, 0, false},
		{"a clock that is a little behind that of another server", 0, func(u *upstream) { u.fixed = u.now().Add(-5 * time.Second) }, 0, false},
		{"a copy with its Date and its Age", 0, func(u *upstream) { u.fixed, u.age = u.now().Add(-hours), hours }, hours, true},
		{"the same, by a clock that is off", hours, func(u *upstream) { u.fixed, u.age = u.now().Add(-hours), hours }, hours, true},
		{"a copy with its Date alone", 0, func(u *upstream) { u.fixed = u.now().Add(-hours) }, hours, true},
		{"the same, by a clock that is off", hours, func(u *upstream) { u.fixed = u.now().Add(-hours) }, hours, true},
		{"a copy of some seconds", 0, func(u *upstream) { u.fixed = u.now().Add(-10 * time.Second) }, 10 * time.Second, true},
		{"a copy with its Age and a Date of now", 0, func(u *upstream) { u.age = hours }, hours, true},
		{"a copy with its Age alone", 0, func(u *upstream) { u.age, u.silent = hours, true }, hours, true},
		{"neither", 0, func(u *upstream) { u.silent = true }, 0, false},
		{"neither, by a clock that is off", -hours, func(u *upstream) { u.silent = true }, 0, false},
		{"a copy of a 404", 0, func(u *upstream) { u.fixed, u.status = u.now().Add(-hours), http.StatusNotFound }, hours, true},
		{"a 404 of now", 0, func(u *upstream) { u.status = http.StatusNotFound }, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inClock(t, tt.off, func(u *upstream) {
				u.askFor(10*time.Minute, 5*time.Second)
				tt.change(u)
				asked := u.now()
				m := u.ask()
				u.of(m, asked.Add(-tt.ago).Truncate(time.Second), tt.stored)
				if off := m.Clock.Sub(u.now()); off < -2*time.Second || off > 2*time.Second {
					t.Errorf("the clock is off by %s", off)
				}
				u.warned(false)
			})
		})
	}
}

// What is shown is of the time when it was asked for, at the earliest, however long the answer takes.
func TestTheMomentOfASlowAnswer(t *testing.T) {
	inClock(t, 0, func(u *upstream) {
		u.askFor(time.Minute, 5*time.Second)
		u.takes = time.Minute
		asked := u.now()
		m := u.ask()
		if m.Stored || m.From.After(asked) || m.To.Before(u.now().Truncate(time.Second)) {
			t.Errorf("asked at %s, answered at %s: the answer is of %s to %s, stored %t", asked, u.now(), m.From, m.To, m.Stored)
		}
	})
}

// A clock that was set back becomes the base once all answers agree on it for two minutes, and not before.
func TestAClockThatWasSetBack(t *testing.T) {
	for _, back := range []time.Duration{30 * time.Second, time.Hour} {
		inClock(t, 0, func(u *upstream) {
			u.askFor(10*time.Minute, 5*time.Second)
			u.off = -back
			if m := u.askFor(setAfter-5*time.Second, 5*time.Second); !m.Stored {
				t.Error("an earlier Date is believed at once")
			}
			u.warned(false)
			u.askFor(10*time.Second, 5*time.Second)
			m := u.ask()
			u.of(m, u.now().Truncate(time.Second), false)
			if m.Clock.After(u.now().Add(time.Second)) {
				t.Errorf("the clock is %s, MK.IO's %s", m.Clock, u.now())
			}
			u.warned(true)
		})
	}
}

func TestAClockThatWasSetForwardCountsAtOnce(t *testing.T) {
	inClock(t, 0, func(u *upstream) {
		u.askFor(10*time.Minute, 5*time.Second)
		u.off = time.Hour
		u.of(u.ask(), u.now().Truncate(time.Second), false)
		u.warned(false)
	})
}

// One copy, or several that are renewed now and then, are no clock: they stand still, or true answers come between them.
func TestStoredCopiesAreNoClockThatWasSet(t *testing.T) {
	t.Run("one", func(t *testing.T) {
		inClock(t, 0, func(u *upstream) {
			u.askFor(10*time.Minute, 5*time.Second)
			u.fixed = u.now().Add(-time.Hour)
			if m := u.askFor(time.Hour, 5*time.Second); !m.Stored {
				t.Error("a copy is taken for an answer of now")
			}
			u.warned(false)
			u.fixed = time.Time{}
			u.of(u.ask(), u.now().Truncate(time.Second), false)
		})
	})
	t.Run("renewed now and then", func(t *testing.T) {
		inClock(t, 0, func(u *upstream) {
			u.askFor(10*time.Minute, 5*time.Second)
			for range 60 {
				u.fixed = u.now()
				u.askFor(time.Minute, 5*time.Second)
			}
			u.warned(false)
		})
	})
	t.Run("with an Age, each an hour old", func(t *testing.T) {
		inClock(t, 0, func(u *upstream) {
			u.askFor(10*time.Minute, 5*time.Second)
			u.off, u.age = -time.Hour, time.Hour
			if m := u.askFor(time.Hour, 5*time.Second); !m.Stored {
				t.Error("a copy is taken for an answer of now")
			}
			u.warned(false)
		})
	})
	t.Run("errors that are not MK.IO's", func(t *testing.T) {
		inClock(t, 0, func(u *upstream) {
			u.askFor(time.Minute, 5*time.Second)
			for range 100 {
				u.client.clock.moment(u.client.clock.ask(), http.Header{"Date": {u.now().Add(-time.Hour).UTC().Format(http.TimeFormat)}}, false)
				time.Sleep(5 * time.Second)
			}
			u.warned(false)
		})
	})
}

// The first answers may be stored copies, so the clock is sure only once the bridge's own clock, or time, confirms it.
func TestWhenTheClockIsSure(t *testing.T) {
	sure := func(u *upstream) bool { return !u.ask().Clock.IsZero() }
	t.Run("by the bridge's own clock", func(t *testing.T) {
		inClock(t, time.Second, func(u *upstream) {
			if !sure(u) {
				t.Error("it is not")
			}
		})
	})
	t.Run("by time", func(t *testing.T) {
		inClock(t, -time.Hour, func(u *upstream) {
			if sure(u) {
				t.Error("it is at once")
			}
			u.askFor(setAfter, 5*time.Second)
			if !sure(u) {
				t.Error("it never is")
			}
		})
	})
	t.Run("not by a copy", func(t *testing.T) {
		inClock(t, 0, func(u *upstream) {
			u.fixed = u.now().Add(-2 * time.Hour)
			u.askFor(time.Hour, 5*time.Second)
			if sure(u) {
				t.Error("it is")
			}
		})
	})
}
