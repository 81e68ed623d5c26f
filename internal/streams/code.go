package streams

import (
	"cmp"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// Codes with which JetStream refuses an expected sequence.
const (
	CodeWrongLastSequence         jetstream.ErrorCode = 10071
	CodeWrongLastSequenceInFlight jetstream.ErrorCode = 10164 // on a replicated stream, while another write is in flight
)

// Codes with which JetStream refuses to create a stream.
const (
	codeReplicas        jetstream.ErrorCode = 10074 // "replicas > 1 not supported in non-clustered mode"
	codeNoPeers         jetstream.ErrorCode = 10005 // "no suitable peers for placement"
	codeNoStorage       jetstream.ErrorCode = 10047 // "insufficient storage resources available"
	codeAccountExceeded jetstream.ErrorCode = 10002 // "resource limits exceeded for account"
	codeSizeRequired    jetstream.ErrorCode = 10113 // "account requires a stream config to have max bytes set"
	codeSizeExceeded    jetstream.ErrorCode = 10122 // "stream max bytes exceeds account limit max stream bytes"
)

// Conflicted reports whether JetStream refused a write because of its expected sequence.
func Conflicted(err error) bool {
	return Refused(err, CodeWrongLastSequence) || Refused(err, CodeWrongLastSequenceInFlight)
}

// Refused reports whether an error is a response of JetStream with this code.
func Refused(err error, code jetstream.ErrorCode) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == code
}

// APIPrefix returns the prefix of the subjects of JetStream's API; each domain has its own.
func APIPrefix(js jetstream.JetStream) string {
	return cmp.Or(js.Options().APIPrefix, jetstream.DefaultAPIPrefix)
}
