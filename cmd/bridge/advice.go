package main

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/streams"
)

// advice says what can be done about an error, in the settings' names; "" when nothing is known that the error does not say.
func advice(err error) string {
	if refused, ok := errors.AsType[broker.RefusedError](err); ok {
		return refusalAdvice(refused)
	}
	if _, ok := errors.AsType[broker.SilentError](err); ok {
		return fmt.Sprintf("see that %s_NATS_URL is the NATS servers' address and that they run; where they want TLS before the NATS protocol (handshake_first), set %s_NATS_TLS_FIRST=true", prefix, prefix)
	}
	if _, ok := errors.AsType[unreachableError](err); ok {
		return fmt.Sprintf("see that %s_NATS_URL is the NATS servers' address and that they run", prefix)
	}
	if why, ok := errors.AsType[*noanswer.Error](err); ok {
		return noAnswerAdvice(why)
	}
	if size, ok := errors.AsType[*streams.SizeError](err); ok {
		return sizeAdvice(size)
	}
	if _, ok := errors.AsType[*streams.MissingError](err); ok {
		return fmt.Sprintf("create it, or start the bridge with %s_STREAM_MANAGE=create, which makes it", prefix)
	}
	if replicas, ok := errors.AsType[*streams.ReplicasError](err); ok {
		return fmt.Sprintf("%s_STREAM_REPLICAS is %d; set it to no more than the servers of the cluster", prefix, replicas.Replicas)
	}
	return ""
}

// refusalAdvice is for NATS servers that refuse the connection.
func refusalAdvice(refused broker.RefusedError) string {
	switch {
	case errors.Is(refused, nats.ErrSecureConnWanted):
		return fmt.Sprintf("the servers have no TLS: give %s_NATS_URL as nats://, without %[1]s_NATS_TLS_FIRST", prefix)
	case errors.Is(refused, nats.ErrAuthorization), errors.Is(refused, nats.ErrAuthExpired), errors.Is(refused, nats.ErrAuthRevoked),
		errors.Is(refused, nats.ErrAccountAuthExpired), errors.Is(refused, nats.ErrNkeysNotSupported):
		return fmt.Sprintf("see that the user is one that the servers know and has not expired: %s_NATS_CREDS, _NKEY, _USER and _PASSWORD, _TOKEN, or for the embedded server of a bridge %[1]s_NATS_READER_TOKEN as that bridge has it", prefix)
	}
	return fmt.Sprintf("no TLS came about: %s_NATS_TLS_CA has the certificates that sign the servers', _TLS_CERT and _TLS_KEY are the client's own; %[1]s_NATS_TLS_FIRST=true is for servers with handshake_first alone", prefix)
}

// rightsFile has what each user needs.
const rightsFile = "deploy/nats/accounts.conf"

// noAnswerAdvice is for requests that JetStream did not answer.
func noAnswerAdvice(why *noanswer.Error) string {
	switch {
	case why.Reason == noanswer.NotAllowed:
		return "give the user this right, or use another user: " + rightsFile + " has the rights of a bridge, of readers and of a replay"
	case why.Reason == noanswer.NotGiven:
		return "use a user who has the right: these may be the credentials of a reader (" + rightsFile + "). The streams are not at fault"
	case why.Domain != "":
		return fmt.Sprintf("see that a server with JetStream of this domain is connected, and that the account has JetStream there; %s_NATS_DOMAIN names the domain", prefix)
	}
	return fmt.Sprintf("enable JetStream on the NATS servers, and for the account of this user; where it is that of a domain which these servers reach by leaf nodes, set %s_NATS_DOMAIN", prefix)
}

// sizeAdvice is for streams that are too large for their account or servers, or that have no limit of size and need one.
func sizeAdvice(size *streams.SizeError) string {
	if size.Unbound {
		return fmt.Sprintf("the account requires a limit of size of each stream: set %s_STREAM_MAX_BYTES, such as 1GiB (docs/streams.md says what happens when a stream is full), or make the streams yourself with max_bytes", prefix)
	}
	return fmt.Sprintf("the limits of the bridge's streams come to %s, for which the account or the servers have no room: lower %s_STREAM_MAX_BYTES, raise the account's limits, or make room where JetStream stores (%[2]s_STORE_DIR, or the servers' max_file_store)", byteSize(size.Reserved), prefix)
}
