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

// A RefusedError is for servers that refused the connection, or with which the TLS handshake failed: reconnecting does not
// help. It wraps the client's error for the refusal, such as [nats.ErrAuthorization], if there is one.
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

// A SilentError is for servers that accepted the connection, and sent nothing or closed it. Servers that require TLS before
// the NATS protocol do so, when the client waits for their INFO line.
type SilentError struct{ error }

func (e SilentError) Unwrap() error { return e.error }

// refusals are the client's errors for connections that a server refuses. While connecting, the client returns their text
// only.
var refusals = []error{
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported,
	nats.ErrSecureConnRequired, nats.ErrSecureConnWanted,
}

// refusalOf reports whether a connect error is a refusal, and returns the client's error for it, if there is one.
func refusalOf(err error) (refused bool, cause error) {
	for _, cause := range refusals {
		if strings.HasPrefix(strings.ToLower(err.Error()), cause.Error()) {
			return true, cause
		}
	}
	return isTLSFailure(err), nil
}

// isTLSFailure reports whether an error is a failed TLS handshake.
func isTLSFailure(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, other := errors.AsType[tls.RecordHeaderError](err)
	return untrusted || alert || other || strings.Contains(err.Error(), "remote error: tls:")
}

// isSilent reports whether an error is that of a connection on which the server sent nothing.
func isSilent(err error) bool {
	timedOut, ok := errors.AsType[net.Error](err)
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || ok && timedOut.Timeout() || errors.Is(err, nats.ErrTimeout)
}
