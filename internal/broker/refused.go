package broker

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
)

// A RefusedError is for servers that answered and refused the connection, or with which no TLS came about: to connect
// again does not help. It wraps the client's own error for the refusal, such as [nats.ErrAuthorization], where there is one.
type RefusedError struct {
	error
	cause error
}

func (e RefusedError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.error}
	}
	return []error{e.error, e.cause}
}

// A SilentError is for servers to which a connection came about, and which said nothing or closed it: as those do that
// want TLS before the NATS protocol from a client that waits for them to begin.
type SilentError struct{ error }

func (e SilentError) Unwrap() error { return e.error }

// refusals are the client's errors for what a server says to who may not come in. While it connects, the client returns
// their text alone.
var refusals = []error{
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported,
	nats.ErrSecureConnRequired, nats.ErrSecureConnWanted,
}

// whyRefused says whether an error to connect is a refusal, and which one of the client's, if it is one of these.
func whyRefused(err error) (refused bool, cause error) {
	for _, cause := range refusals {
		if strings.HasPrefix(strings.ToLower(err.Error()), cause.Error()) {
			return true, cause
		}
	}
	return noTLS(err), nil
}

// noTLS says whether an error is that of a TLS handshake on which the two sides did not agree.
func noTLS(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, other := errors.AsType[tls.RecordHeaderError](err)
	return untrusted || alert || other || strings.Contains(err.Error(), "remote error: tls:")
}

// silent says whether an error is that of a connection on which nothing was said.
func silent(err error) bool {
	timedOut, ok := errors.AsType[net.Error](err)
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || ok && timedOut.Timeout() || errors.Is(err, nats.ErrTimeout)
}
