package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/poll"
)

// The poller knows no settings: what to change is said here.
func TestEachErrorOfThePollerHasItsAdvice(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&poll.TokenEndsError{At: time.Now()}, "BRIDGE_MKIO_TOKEN"},
		{&poll.UnpolledParentsError{Kind: lifecycle.LiveOutput, Parents: []lifecycle.Kind{lifecycle.LiveEvent}}, "BRIDGE_KINDS: live-event"},
		{&identity.MismatchError{Aspect: identity.OfAddress}, "BRIDGE_MKIO_ADOPT"},
		{&identity.UnknownError{Project: "p"}, "BRIDGE_MKIO_ADOPT=all"},
		{errors.Join(errors.New("list"), poll.ErrStored), "no cache"},
		{&mkio.APIError{Status: 401}, "BRIDGE_MKIO_TOKEN"},
		{&mkio.APIError{Status: 403}, "bridge doctor"},
		{&mkio.APIError{Status: 404}, "BRIDGE_PROJECTS"},
		{&mkio.APIError{Status: 429}, "BRIDGE_POLL_RATE"},
		{&mkio.APIError{Status: 500}, "tried again"},
		{errors.New("connection refused"), "BRIDGE_MKIO_URL"},
		{context.DeadlineExceeded, "tried again"},
	} {
		if got := pollAdvice(tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("on %v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
