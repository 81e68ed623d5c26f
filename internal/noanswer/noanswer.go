// Package noanswer explains why a request to JetStream got no response. The client returns only "no responders" or an
// exceeded deadline. A server does not respond to a forbidden request, but reports a permissions violation to the
// connection. A request without responders, while JetStream is enabled, is to a part of its API that the account does not
// import.
//
// A write without a response is less clear, because the stream may have no leader. So for writes only a permissions
// violation is recognized ([Forbidden]).
package noanswer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Reason says why there was no response.
type Reason int

// The reasons.
const (
	NotAllowed  Reason = iota // the user has no permission for the subject
	NotExported               // JetStream responds, but the requested subject is not exported to the account, or not imported
	NoJetStream               // JetStream is disabled on the server or for the account, or has another domain
)

// An Error is the error of a request without a response, when the reason is known.
type Error struct {
	Reason Reason
	Domain string // of the request; "" is the server's own
	cause  error  // from the server or the client: the reason
	err    error  // of the request
}

func (e *Error) Error() string {
	switch {
	case e.Reason == NotAllowed:
		return fmt.Sprintf("NATS permissions do not allow the request: %v", e.cause)
	case e.Reason == NotExported:
		return fmt.Sprintf("the NATS account of this user does not import the requested part of the JetStream API: %v", e.cause)
	case e.Domain != "":
		return fmt.Sprintf("no response from JetStream domain %s: %v", e.Domain, e.cause)
	}
	return fmt.Sprintf("no response from JetStream: %v", e.cause)
}

func (e *Error) Unwrap() []error { return []error{e.cause, e.err} }

// checkTimeout limits the request that tests whether JetStream responds at all.
const checkTimeout = 3 * time.Second

// Explain returns an [*Error] if it finds why a request got no response, and else err unchanged. about is part of the
// requested subject, such as the name of the stream; "" is any.
func Explain(ctx context.Context, js jetstream.JetStream, err error, about string) error {
	if _, known := errors.AsType[*Error](err); known || err == nil {
		return err
	}
	why := Forbidden(js.Conn(), err, about)
	if _, known := errors.AsType[*Error](why); known {
		return why
	}
	domain := js.Options().Domain
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return &Error{NoJetStream, domain, err, err}
	case !errors.Is(err, nats.ErrNoResponders):
		return err
	}
	checking, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	switch _, infoErr := js.AccountInfo(checking); {
	case infoErr == nil:
		return &Error{NotExported, domain, err, err}
	case errors.Is(infoErr, jetstream.ErrJetStreamNotEnabled), errors.Is(infoErr, jetstream.ErrJetStreamNotEnabledForAccount):
		return &Error{NoJetStream, domain, err, err}
	}
	return err
}

// Forbidden returns an [*Error] if a request or a write got no response because permissions do not allow it, and else err
// unchanged. about is part of the subject; "" is any.
func Forbidden(nc *nats.Conn, err error, about string) error {
	if !hasNoResponse(err) {
		return err
	}
	if violation := nc.LastError(); isDenied(violation, about) {
		return &Error{Reason: NotAllowed, cause: violation, err: err}
	}
	return err
}

// hasNoResponse reports whether an error is that of a request without a response.
func hasNoResponse(err error) bool {
	for _, e := range []error{
		context.DeadlineExceeded, context.Canceled, nats.ErrTimeout, nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isDenied reports whether an error of a connection is a permissions violation for a subject. A user who may not subscribe
// to their inbox gets no response to any request.
func isDenied(violation error, about string) bool {
	return errors.Is(violation, nats.ErrPermissionViolation) &&
		(strings.Contains(violation.Error(), about) || strings.Contains(violation.Error(), "Subscription"))
}

// CancelWhenForbidden returns a context that ends as soon as the servers report a permissions violation for a request. It
// replaces the connection's error handler, which is still called, and stop restores it: use it in one goroutine at a time.
func CancelWhenForbidden(ctx context.Context, nc *nats.Conn, about string) (until context.Context, stop func()) {
	until, cancel := context.WithCancel(ctx)
	previous := nc.ErrorHandler()
	nc.SetErrorHandler(func(c *nats.Conn, s *nats.Subscription, err error) {
		if previous != nil {
			previous(c, s, err)
		}
		if isDenied(err, about) {
			cancel()
		}
	})
	return until, func() {
		nc.SetErrorHandler(previous)
		cancel()
	}
}
