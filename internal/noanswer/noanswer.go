// Package noanswer says why a request to JetStream got no answer. The client returns "no responders" or an exceeded
// deadline, and the reason is elsewhere: a server answers a request that it forbids with nothing, and tells the connection;
// one to which nobody listens, where JetStream is on, is one that this account is not given.
//
// An error of a write says less: where nobody answers, the stream may have no leader. So of writes only what is forbidden
// is told apart ([Forbidden]).
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

// A Reason is why nobody answers.
type Reason int

// The reasons.
const (
	NotAllowed  Reason = iota // the user has no right to the subject
	NotGiven                  // JetStream answers, and what was asked for is not exported to the account, or not imported
	NoJetStream               // JetStream is off, not on for the account, or of another domain
)

// An Error is for a request that nobody answered, where the reason is known.
type Error struct {
	Reason Reason
	Domain string // that was asked; "" is the server's own
	said   error  // by the server or the client, of the reason
	err    error  // of the request
}

func (e *Error) Error() string {
	switch {
	case e.Reason == NotAllowed:
		return fmt.Sprintf("the NATS servers do not allow it: %v", e.said)
	case e.Reason == NotGiven:
		return fmt.Sprintf("the NATS account of this user is not given that part of JetStream's API: %v", e.said)
	case e.Domain != "":
		return fmt.Sprintf("no JetStream of domain %s answers: %v", e.Domain, e.said)
	}
	return fmt.Sprintf("no JetStream answers: %v", e.said)
}

func (e *Error) Unwrap() []error { return []error{e.said, e.err} }

// askTime is how long JetStream is waited for, to find out whether it is there.
const askTime = 3 * time.Second

// Why returns an [*Error] where it can say why a request got no answer, and else the error as it is. About is part of the
// subject that was asked, such as the name of the stream; "" is any.
func Why(ctx context.Context, js jetstream.JetStream, err error, about string) error {
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
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	switch _, asked := js.AccountInfo(asking); {
	case asked == nil:
		return &Error{NotGiven, domain, err, err}
	case errors.Is(asked, jetstream.ErrJetStreamNotEnabled), errors.Is(asked, jetstream.ErrJetStreamNotEnabledForAccount):
		return &Error{NoJetStream, domain, err, err}
	}
	return err
}

// Forbidden returns an [*Error] where a request or a write got no answer because the servers do not allow it, and else the
// error as it is. About is part of the subject; "" is any.
func Forbidden(nc *nats.Conn, err error, about string) error {
	if !unanswered(err) {
		return err
	}
	if violation := nc.LastError(); concerns(violation, about) {
		return &Error{Reason: NotAllowed, said: violation, err: err}
	}
	return err
}

// unanswered says whether an error is that of a request without an answer.
func unanswered(err error) bool {
	for _, e := range []error{
		context.DeadlineExceeded, context.Canceled, nats.ErrTimeout, nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// concerns says whether an error of a connection is of a right to something. Who may not subscribe to their inbox gets no
// answer to anything.
func concerns(violation error, about string) bool {
	return errors.Is(violation, nats.ErrPermissionViolation) &&
		(strings.Contains(violation.Error(), about) || strings.Contains(violation.Error(), "Subscription"))
}

// UntilForbidden returns a context that ends as soon as the servers say that they do not allow what a request is about. To
// stop is to put back the connection's former error handler, which is called meanwhile as well: one caller at a time.
func UntilForbidden(ctx context.Context, nc *nats.Conn, about string) (until context.Context, stop func()) {
	until, cancel := context.WithCancel(ctx)
	former := nc.ErrorHandler()
	nc.SetErrorHandler(func(c *nats.Conn, s *nats.Subscription, err error) {
		if former != nil {
			former(c, s, err)
		}
		if concerns(err, about) {
			cancel()
		}
	})
	return until, func() {
		nc.SetErrorHandler(former)
		cancel()
	}
}
