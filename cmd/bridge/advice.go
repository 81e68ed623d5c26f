package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/poll"
	"mkio-bridge/internal/rule"
	"mkio-bridge/internal/streams"
)

// advice says what to do about an error, with the names of settings; "" when the error says all that is known.
func advice(err error) string {
	if do := natsAdvice(err); do != "" {
		return do
	}
	if do := identityAdvice(err); do != "" {
		return do
	}
	if do := ruleAdvice(err); do != "" {
		return do
	}
	if _, ok := errors.AsType[*eventlog.MissingStreamError](err); ok {
		return fmt.Sprintf("has a bridge with this %s_SUBJECT_PREFIX run on this NATS?", prefix)
	}
	return streamsAdvice(err)
}

// streamsAdvice is for streams that are missing, or cannot be created as they are configured.
func streamsAdvice(err error) string {
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

// natsAdvice is for NATS servers that cannot be reached, or refuse something.
func natsAdvice(err error) string {
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
	return ""
}

// ruleAdvice is for a webhook rule that cannot be what it must be.
func ruleAdvice(err error) string {
	if _, ok := errors.AsType[*rule.OtherURLError](err); ok {
		return fmt.Sprintf("choose another %s_WEBHOOK_RULE, or take it over with bridge webhook register --force", prefix)
	}
	if _, ok := errors.AsType[*rule.AddressError](err); ok {
		return fmt.Sprintf("correct %s_WEBHOOK_URL", prefix)
	}
	if errors.Is(err, rule.ErrNoSecret) {
		return fmt.Sprintf("set %s_WEBHOOK_SECRETS", prefix)
	}
	return ""
}

// pollAdvice is for errors of the poller. An error without advice of its own is a request to MK.IO that failed, and is judged
// by its status.
func pollAdvice(err error) string {
	if do := cmp.Or(advice(err), tokenAdvice(err)); do != "" {
		return do
	}
	if unpolled, ok := errors.AsType[*poll.UnpolledParentsError](err); ok {
		return fmt.Sprintf("add to %s_KINDS: %s", prefix, kinds(unpolled.Parents))
	}
	switch status := mkio.StatusOf(err); {
	case errors.Is(err, poll.ErrStored):
		return "have no cache between the bridge and MK.IO answer: it is asked with Cache-Control: no-cache"
	case status == http.StatusForbidden:
		return "the token lacks a right: bridge doctor tells which"
	case status == http.StatusNotFound:
		return fmt.Sprintf("check the project's name in %s_PROJECTS, and %[1]s_MKIO_URL", prefix)
	case status == 0 && !errors.Is(err, context.DeadlineExceeded):
		return wayAdvice(err)
	}
	return "nothing, it is tried again"
}

// tokenAdvice is for an API token that MK.IO refuses, or limits, or that expires soon; "" for any other error.
func tokenAdvice(err error) string {
	if _, ok := errors.AsType[*poll.TokenEndsError](err); ok {
		return fmt.Sprintf("give %s_MKIO_TOKEN another; its file is read again without a restart", prefix)
	}
	switch mkio.StatusOf(err) {
	case http.StatusUnauthorized:
		return fmt.Sprintf("the token is wrong, has ended or was revoked: give %s_MKIO_TOKEN another", prefix)
	case http.StatusTooManyRequests:
		return fmt.Sprintf("others use up the project's request limit: lower %s_POLL_RATE, or theirs", prefix)
	}
	return ""
}

// wayAdvice is for MK.IO that does not answer. The advice is the same for every error; the parameter is for
// [mkio.ClientConfig].
func wayAdvice(error) string {
	return fmt.Sprintf("check %s_MKIO_URL and the way there: name resolution, proxy, firewall", prefix)
}

// identityAdvice says what to do about an error of package identity; "" for any other.
func identityAdvice(err error) string {
	if unknown, ok := errors.AsType[*identity.UnknownError](err); ok {
		return fmt.Sprintf("nothing, where the project %s is the one that the log is of and has a resource that is recorded; where all that is recorded is gone from it, start once with %s_MKIO_ADOPT=all", unknown.Project, prefix)
	}
	mismatch, ok := errors.AsType[*identity.MismatchError](err)
	if !ok {
		return ""
	}
	const fresh = "give another MK.IO a log of its own: another BRIDGE_STORE_DIR, or another BRIDGE_SUBJECT_PREFIX on the same NATS"
	const all = "to go on with this log all the same, start once with BRIDGE_MKIO_ADOPT=all: what the log has and the other has not becomes Deleted"
	switch mismatch.Aspect {
	case identity.OfAddress:
		return "correct BRIDGE_MKIO_URL, or " + fresh + "; where it is the same MK.IO under a new address, start once with BRIDGE_MKIO_ADOPT=address; " + all
	case identity.OfOrganisation:
		return "give BRIDGE_MKIO_TOKEN a token of the log's organisation, or " + fresh + "; " + all
	case identity.OfProject:
	}
	return "it was made anew, or MK.IO is another: " + fresh + "; " + all
}

// natsSettings are the names of package broker's settings as variables, without the prefix.
var natsSettings = map[broker.Setting]string{
	broker.URL: "NATS_URL", broker.Creds: "NATS_CREDS", broker.NKey: "NATS_NKEY",
	broker.TLSCA: "NATS_TLS_CA", broker.TLSCert: "NATS_TLS_CERT", broker.TLSKey: "NATS_TLS_KEY",
	broker.StoreDir: "STORE_DIR", broker.Listen: "NATS_LISTEN",
}

// settingError names the setting at which connecting to NATS or starting it fails, and says how to correct it; any other error
// it returns as it is.
func settingError(err error) error {
	wrong, ok := errors.AsType[broker.SettingError](err)
	if !ok {
		return err
	}
	name := prefix + "_" + natsSettings[wrong.Setting]
	switch {
	case errors.Is(wrong, broker.ErrNoServer):
		return fmt.Errorf("%s names no server: say nats://host:port, or unset it for an embedded server", name)
	case errors.Is(wrong, broker.ErrAddress):
		return fmt.Errorf("%s: %w (a password with special characters must be percent-encoded, or given as %s_NATS_PASSWORD)", name, err, prefix)
	case errors.Is(wrong, broker.ErrInUse):
		return fmt.Errorf("%s: %w: stop it, or choose another directory", name, err)
	case wrong.Setting == broker.Listen:
		return fmt.Errorf("%s: %w (choose another address, or set it empty for none)", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
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

// rightsFile is an example configuration with the rights that each user of NATS needs.
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

// sizeAdvice is for streams that are too large for their account or servers, or that need a size limit and have none.
func sizeAdvice(size *streams.SizeError) string {
	if size.Unbound {
		return fmt.Sprintf("the account requires a limit of size of each stream: set %s_STREAM_MAX_BYTES, such as 1GiB (docs/streams.md says what happens when a stream is full), or make the streams yourself with max_bytes", prefix)
	}
	return fmt.Sprintf("the limits of the bridge's streams come to %s, for which the account or the servers have no room: lower %s_STREAM_MAX_BYTES, raise the account's limits, or make room where JetStream stores (%[2]s_STORE_DIR, or the servers' max_file_store)", byteSize(size.Reserved), prefix)
}
