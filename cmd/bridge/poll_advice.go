package main

import (
	"context"
	"errors"
	"net/http"

	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/poll"
)

// pollAdvice says what to do about an error of the poller.
func pollAdvice(err error) string {
	if advice := identityAdvice(err); advice != "" {
		return advice
	}
	if _, ok := errors.AsType[*poll.TokenEndsError](err); ok {
		return "give BRIDGE_MKIO_TOKEN another; its file is read again without a restart"
	}
	if unpolled, ok := errors.AsType[*poll.UnpolledParentsError](err); ok {
		return "add to BRIDGE_KINDS: " + kinds(unpolled.Parents).String()
	}
	switch status := mkio.StatusOf(err); {
	case errors.Is(err, poll.ErrStored):
		return "have no cache between the bridge and MK.IO answer: it is asked with Cache-Control: no-cache"
	case status == http.StatusUnauthorized:
		return "the token is wrong, has ended or was revoked: give BRIDGE_MKIO_TOKEN another"
	case status == http.StatusForbidden:
		return "the token lacks a right: bridge doctor tells which"
	case status == http.StatusNotFound:
		return "check the project's name in BRIDGE_PROJECTS, and BRIDGE_MKIO_URL"
	case status == http.StatusTooManyRequests:
		return "others use up the project's request limit: lower BRIDGE_POLL_RATE, or theirs"
	case status == 0 && !errors.Is(err, context.DeadlineExceeded):
		return wayAdvice(err)
	}
	return "nothing, it is tried again"
}
