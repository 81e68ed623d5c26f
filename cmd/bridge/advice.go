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

// advice returns what to do about an error, naming the settings to change; "" when there is nothing to add to the error.
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
		return "has a bridge with this BRIDGE_SUBJECT_PREFIX run on this NATS?"
	}
	return streamAdvice(err)
}

// streamAdvice is for streams that are missing or cannot be created as configured.
func streamAdvice(err error) string {
	if size, ok := errors.AsType[*streams.SizeError](err); ok {
		return sizeAdvice(size)
	}
	if _, ok := errors.AsType[*streams.MissingError](err); ok {
		return "create it, or start the bridge with BRIDGE_STREAM_MANAGE=create"
	}
	if replicas, ok := errors.AsType[*streams.ReplicasError](err); ok {
		return fmt.Sprintf("BRIDGE_STREAM_REPLICAS is %d; set it to at most the number of servers in the cluster", replicas.Replicas)
	}
	return ""
}

// natsAdvice is for NATS servers that cannot be reached or refuse a request.
func natsAdvice(err error) string {
	if refused, ok := errors.AsType[broker.RefusedError](err); ok {
		return refusalAdvice(refused)
	}
	if _, ok := errors.AsType[noBridgeError](err); ok {
		return "start a bridge (" + invocation() + " run), or set BRIDGE_NATS_LISTEN to the running one's, or BRIDGE_NATS_URL to its NATS servers"
	}
	if _, ok := errors.AsType[broker.SilentError](err); ok {
		return "check that BRIDGE_NATS_URL is the address of running NATS servers; if they require TLS before the NATS protocol (handshake_first), set BRIDGE_NATS_TLS_FIRST=true"
	}
	if _, ok := errors.AsType[unreachableError](err); ok {
		return "check that BRIDGE_NATS_URL is the address of running NATS servers"
	}
	if why, ok := errors.AsType[*noanswer.Error](err); ok {
		return noAnswerAdvice(why)
	}
	return ""
}

// ruleAdvice is for a webhook rule that cannot be registered or updated.
func ruleAdvice(err error) string {
	if _, ok := errors.AsType[*rule.OtherURLError](err); ok {
		return "choose another BRIDGE_WEBHOOK_RULE, or take the rule over with mkio-bridge webhook register --force"
	}
	if _, ok := errors.AsType[*rule.AddressError](err); ok {
		return "correct BRIDGE_WEBHOOK_URL"
	}
	if errors.Is(err, rule.ErrNoSecret) {
		return "set BRIDGE_WEBHOOK_SECRETS"
	}
	return ""
}

// pollAdvice is for errors of the poller. An error without advice of its own is a failed request to MK.IO: its HTTP status
// decides.
func pollAdvice(err error) string {
	if do := cmp.Or(advice(err), tokenAdvice(err)); do != "" {
		return do
	}
	if unpolled, ok := errors.AsType[*poll.UnpolledParentsError](err); ok {
		return fmt.Sprintf("add to BRIDGE_KINDS: %s", kinds(unpolled.Parents))
	}
	if do := projectAdvice(err); do != "" {
		return do
	}
	switch status := mkio.StatusOf(err); {
	case errors.Is(err, poll.ErrStoredCopy):
		return "configure caches between the bridge and MK.IO to honour Cache-Control: no-cache, so that no cache answers the bridge"
	case status == http.StatusForbidden:
		return "the token lacks a right: mkio-bridge doctor names it"
	case status == http.StatusNotFound:
		return "check the project's name in BRIDGE_PROJECTS, and BRIDGE_MKIO_URL"
	case status == 0 && !errors.Is(err, context.DeadlineExceeded):
		return unreachableAdvice
	}
	return "nothing: the bridge retries"
}

// projectAdvice is for projects that are not polled, or that MK.IO does not list; "" for other errors.
func projectAdvice(err error) string {
	switch {
	case errors.Is(err, poll.ErrProjectNameless):
		return "name the projects to poll in BRIDGE_PROJECTS"
	case errors.Is(err, poll.ErrProjectInactive):
		return "activate it in MK.IO, if it shall be polled"
	case errors.Is(err, poll.ErrProjectHidden):
		return "name it in BRIDGE_PROJECTS: after a restart it is not found otherwise"
	}
	return ""
}

// tokenAdvice is for an API token that expires soon, that MK.IO refuses (401), or whose requests it limits (429); "" for
// other errors.
func tokenAdvice(err error) string {
	if _, ok := errors.AsType[*poll.TokenExpiryError](err); ok {
		return "replace BRIDGE_MKIO_TOKEN; a token file is reloaded without a restart"
	}
	switch mkio.StatusOf(err) {
	case http.StatusUnauthorized:
		return "the token is wrong, expired or revoked, or its user was removed: replace BRIDGE_MKIO_TOKEN"
	case http.StatusTooManyRequests:
		return "other clients use up the project's request limit: lower BRIDGE_POLL_RATE, or their request rates"
	}
	return ""
}

// unreachableAdvice is for requests to MK.IO that get no response.
const unreachableAdvice = "check BRIDGE_MKIO_URL and the network path to it: name resolution, proxy, firewall"

// identityAdvice is for errors of package identity; "" for any other.
func identityAdvice(err error) string {
	if unknown, ok := errors.AsType[*identity.UnknownError](err); ok {
		return fmt.Sprintf("nothing, if project %s is the log's own and still has a recorded resource; if all its recorded resources are gone, start once with BRIDGE_MKIO_ADOPT=all", unknown.Project)
	}
	mismatch, ok := errors.AsType[*identity.MismatchError](err)
	if !ok {
		return ""
	}
	const separateLog = "use a separate log for another MK.IO: another BRIDGE_STORE_DIR, or another BRIDGE_SUBJECT_PREFIX on the same NATS"
	const adoptAll = "to continue with this log anyway, start once with BRIDGE_MKIO_ADOPT=all: recorded resources that the other MK.IO does not have become Deleted"
	switch mismatch.Aspect {
	case identity.OfAddress:
		return "correct BRIDGE_MKIO_URL, or " + separateLog + "; if it is the same MK.IO under a new address, start once with BRIDGE_MKIO_ADOPT=address; " + adoptAll
	case identity.OfOrganisation:
		return "set BRIDGE_MKIO_TOKEN to a token of the log's organisation, or " + separateLog + "; " + adoptAll
	case identity.OfProject:
	}
	return "the project was recreated, or BRIDGE_MKIO_URL is another MK.IO: " + separateLog + "; " + adoptAll
}

// natsVariables maps package broker's settings to environment variables, without the prefix.
var natsVariables = map[broker.Setting]string{
	broker.URL: "NATS_URL", broker.Creds: "NATS_CREDS", broker.NKey: "NATS_NKEY",
	broker.TLSCA: "NATS_TLS_CA", broker.TLSCert: "NATS_TLS_CERT", broker.TLSKey: "NATS_TLS_KEY",
	broker.StoreDir: "STORE_DIR", broker.Listen: "NATS_LISTEN",
}

// settingError adds the variable at fault, and its correction, to an error of connecting to NATS or starting the embedded
// server. Other errors are returned unchanged.
func settingError(err error) error {
	wrong, ok := errors.AsType[broker.SettingError](err)
	if !ok {
		return err
	}
	name := prefix + "_" + natsVariables[wrong.Setting]
	switch {
	case errors.Is(wrong, broker.ErrNoServer):
		return fmt.Errorf("%s names no server: set it to nats://host:port, or unset it for an embedded server", name)
	case errors.Is(wrong, broker.ErrAddress):
		return fmt.Errorf("%s: %w (percent-encode special characters of a password, or set it as BRIDGE_NATS_PASSWORD)", name, err)
	case errors.Is(wrong, broker.ErrInUse):
		return fmt.Errorf("%s: %w: stop it, or choose another directory", name, err)
	case wrong.Setting == broker.Listen:
		return fmt.Errorf("%s: %w (choose another address, or set it empty for no port)", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// refusalAdvice is for NATS servers that refuse the connection: no TLS, failed authentication, or a failed TLS handshake.
func refusalAdvice(refused broker.RefusedError) string {
	switch {
	case errors.Is(refused, nats.ErrSecureConnWanted):
		return "the servers have no TLS: set BRIDGE_NATS_URL to nats://…, and unset BRIDGE_NATS_TLS_FIRST"
	case errors.Is(refused, nats.ErrAuthorization), errors.Is(refused, nats.ErrAuthExpired), errors.Is(refused, nats.ErrAuthRevoked),
		errors.Is(refused, nats.ErrAccountAuthExpired), errors.Is(refused, nats.ErrNkeysNotSupported):
		return "check the user's credentials and their expiry: BRIDGE_NATS_CREDS, _NKEY, _USER and _PASSWORD, _TOKEN; for a bridge's embedded server, BRIDGE_NATS_READER_TOKEN as that bridge has it"
	}
	return "TLS handshake failed: BRIDGE_NATS_TLS_CA holds the CA of the servers' certificates, _TLS_CERT and _TLS_KEY the client's own pair; set BRIDGE_NATS_TLS_FIRST=true only for servers with handshake_first"
}

// rightsFile is an example configuration with the permissions that each NATS user needs.
const rightsFile = "deploy/nats/accounts.conf"

// noAnswerAdvice is for requests that JetStream did not respond to.
func noAnswerAdvice(why *noanswer.Error) string {
	switch {
	case why.Reason == noanswer.NotAllowed:
		return "grant the user this permission, or use another user: " + rightsFile + " has the permissions of a bridge, of readers and of a replay"
	case why.Reason == noanswer.NotExported:
		return "use a user with this permission: these may be the credentials of a reader (" + rightsFile + "). The streams are not at fault"
	case why.Domain != "":
		return "check that a JetStream server of this domain is connected, and that the account has JetStream there; BRIDGE_NATS_DOMAIN names the domain"
	}
	return "enable JetStream on the NATS servers and for this user's account; if the streams are in a domain behind a leaf node, set BRIDGE_NATS_DOMAIN"
}

// sizeAdvice is for streams that exceed the storage of their account or servers, or that lack a size limit the account
// requires.
func sizeAdvice(size *streams.SizeError) string {
	if size.Unlimited {
		return "the account requires a size limit on each stream: set BRIDGE_STREAM_MAX_BYTES, e.g. 1GiB (docs/streams.md describes full streams), or create the streams yourself with max_bytes"
	}
	return fmt.Sprintf("the size limits of the bridge's streams come to %s, more than the account or the servers have free: lower BRIDGE_STREAM_MAX_BYTES, raise the account's limits, or add JetStream storage (BRIDGE_STORE_DIR, or the servers' max_file_store)", byteSize(size.Reserved))
}
