package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/poll"
)

// findingAdvice returns what to do about a finding; "" when nothing is to be done. Advice on its cause takes precedence over
// that of its codes.
func findingAdvice(f doctor.Finding) string {
	if do := causeAdvice(f.Cause); do != "" {
		return do
	}
	var all []string
	for _, code := range f.Codes {
		all = append(all, codeAdvice[code])
	}
	return strings.Join(all, "; ")
}

// causeAdvice is for causes whose advice is more specific than the code's; "" for others.
func causeAdvice(err error) string {
	if refused, ok := errors.AsType[*doctor.WriteError](err); ok {
		return writeAdvice(refused)
	}
	if lacks, ok := errors.AsType[*doctor.RightError](err); ok {
		return "give the token " + lacks.Right + " in this project, or leave the kind out of BRIDGE_KINDS"
	}
	return cmp.Or(advice(err), tokenAdvice(err))
}

// writeAdvice lists the NATS permissions that a bridge needs.
func writeAdvice(refused *doctor.WriteError) string {
	n := refused.Names
	return fmt.Sprintf("let the user publish to %[1]s, %[2]s.>, %[3]s.>, %[4]s$KV.%[5]s.>, %[4]s$KV.%[6]s.> and %[7]s>, and subscribe to _INBOX.>; "+rightsFile+" lists the parts of %[7]s> that a bridge needs, such as %[7]sSTREAM.MSG.DELETE.%[8]s for retries",
		n.EventSubjects(), n.UnappliedPrefix(), n.AuditPrefix(), refused.Buckets, n.LeaseBucket(), n.NotesBucket(), refused.API, n.UnappliedStream())
}

// queueAdvice limits the queue of JetStream API requests to what the embedded server allows.
const queueAdvice = "set info_queue_limit: 256 in the jetstream block of the servers' configuration"

// codeAdvice is what to do about each code, unless causeAdvice is more specific.
var codeAdvice = map[doctor.Code]string{
	doctor.AddressMissing:       "set BRIDGE_WEBHOOK_URL to the URL at which MK.IO reaches this bridge",
	doctor.AddressPrivate:       "set BRIDGE_WEBHOOK_URL to a public address",
	doctor.AddressPlain:         "terminate TLS in front of the bridge, or set BRIDGE_TLS_CERT and BRIDGE_TLS_KEY; then set BRIDGE_WEBHOOK_URL to an https URL",
	doctor.AddressUnregistered:  "set BRIDGE_MKIO_TOKEN, or check in MK.IO that each project has a rule that delivers there",
	doctor.AddressUnreachable:   "check name resolution, firewall and the proxy in front of the bridge; only MK.IO must reach the address, and its deliveries show whether it does",
	doctor.CertificateUntrusted: "use a certificate that MK.IO trusts: of a public authority, for this host",
	doctor.SecretRefused:        "the bridge there, or the proxy in front of it, has other secrets: set the same BRIDGE_WEBHOOK_SECRETS, or set BRIDGE_WEBHOOK_URL to this bridge",
	doctor.PathUnknown:          "correct the path of BRIDGE_WEBHOOK_URL, or configure the proxy in front to forward requests to " + webhookPath + " of the bridge",
	doctor.AddressRedirects:     "set BRIDGE_WEBHOOK_URL to the redirect's target: deliveries do not follow redirects",
	doctor.BridgeNotReady:       "check the bridge's /readyz and log; MK.IO retries deliveries",
	doctor.BridgeUnavailable:    "check that the bridge runs, and that the proxy in front reaches it",
	doctor.NoBridge:             "check that a bridge of this version responds at BRIDGE_WEBHOOK_URL, and that the proxy in front forwards body and headers unchanged",

	doctor.NATSUnreachable:      "correct the BRIDGE_NATS_… setting named in the error",
	doctor.EmbeddedNotRunning:   "start the bridge that embeds this server, or set BRIDGE_NATS_URL",
	doctor.EmbeddedRefused:      "set BRIDGE_NATS_READER_TOKEN as the bridge has it",
	doctor.VersionUnknown:       "check that it is " + doctor.OldestNATS.String() + " or newer",
	doctor.VersionOld:           "update it to " + doctor.OldestNATS.String() + " or newer",
	doctor.JetStreamUnavailable: "enable JetStream on the server and for this account; if it is enabled, its API queue may be full of readers' requests: " + queueAdvice,
	doctor.DomainNotConfigured:  "if the streams are in another domain, set BRIDGE_NATS_DOMAIN",
	doctor.QueueLong:            queueAdvice + ", and find the client that sends so many requests",
	doctor.QueueShared:          "update it to " + doctor.OldestBounded.String() + " or newer, and " + queueAdvice,
	doctor.QueueUnknown:         queueAdvice,
	doctor.StreamNotCreated:     "start the bridge, which creates it",
	doctor.StreamMissing:        "create it, or set BRIDGE_STREAM_MANAGE=create and start the bridge",
	doctor.StreamUnavailable:    "check that the NATS servers run and have a leader, and try again",
	doctor.StreamMismatch:       "change the stream, or choose another BRIDGE_SUBJECT_PREFIX; the bridge refuses to run on it",
	doctor.ProgressUnavailable:  progressAdvice(nil),
	doctor.NotesUnreadable:      "fix NATS first",
	doctor.IdentityReadopted:    "unset BRIDGE_MKIO_ADOPT after the start that needed it",

	doctor.MKIOFailed:         "try again later",
	doctor.MKIOUnreachable:    unreachableAdvice,
	doctor.MKIOAddressInvalid: "correct BRIDGE_MKIO_URL",
	doctor.MKIOCAInvalid:      "correct BRIDGE_MKIO_CA",
	doctor.MKIORedirects:      "set BRIDGE_MKIO_URL to the redirect's target",
	doctor.MKIONotReady:       "wait; the bridge waits too",
	doctor.TokenMissing:       "set BRIDGE_MKIO_TOKEN",
	doctor.TokenExpires:       tokenAdvice(&poll.TokenExpiryError{}),
	doctor.TokenShortLived:    "create a restricted or full-access token of a user of its own, and set BRIDGE_MKIO_TOKEN to it",
	doctor.ProjectsUnknown:    "name them in BRIDGE_PROJECTS, or give the token the right to see them",
	doctor.ProjectUnreadable:  "give the token the right to read the project: without it, a deletion cannot be distinguished from a missing right",
	doctor.ProjectMissing:     "correct its name in BRIDGE_PROJECTS (case counts), or give the token rights in it",
	doctor.ProjectInactive:    "remove it from BRIDGE_PROJECTS, or activate it",
	doctor.ListUnreadable:     "try again later, or leave the kind out of BRIDGE_KINDS",
	doctor.RulesUnreadable:    "give the token webhooks.config.get in this project (and .create, .update, so that the bridge can update the rule); until then, changes are found by polling only",
	doctor.RuleAddressMissing: "set BRIDGE_WEBHOOK_URL, then mkio-bridge webhook register",
	doctor.RuleDisabled:       "set BRIDGE_WEBHOOK_URL, then mkio-bridge webhook register --force",
	doctor.RuleOtherURL:       "choose another BRIDGE_WEBHOOK_RULE, or take the rule over: mkio-bridge webhook register --force",
	doctor.RuleMismatch:       "mkio-bridge webhook register",
	doctor.RuleUnusual:        "nothing, if this is intended",
	doctor.RuleDuplicate:      "delete one of them",
	doctor.NotPolled:          "start a bridge with a token for this project; if one runs, its log says why it does not poll. If the project is to be polled no longer, this ends two weeks after its last sweep",
	doctor.NothingPolled:      "set BRIDGE_MKIO_TOKEN",
	doctor.PollingStopped:     "check the log of the bridge that polls the project",
	doctor.BudgetUsed:         "raise BRIDGE_POLL_RATE within what MK.IO allows, or poll fewer kinds (BRIDGE_KINDS) or less often (BRIDGE_POLL_SWEEP)",
	doctor.LogDamaged:         "mkio-bridge verify lists the missing events; restore a backup if they are needed",
	doctor.CoverageGap:        "wait for the next complete sweep, which closes the gap. If sweeps continue to fail, correct what the reason says; mkio-bridge audit shows all gaps",
	doctor.UnappliedGrows:     "mkio-bridge unapplied list shows them, with their reasons",
	doctor.UnappliedFull:      "mkio-bridge unapplied retry deletes those that the log covers by now; delete what nobody needs, or raise the stream's limit",
	doctor.ResourcesStuck:     "mkio-bridge state --stuck lists them: look at them in MK.IO",
	doctor.EventsLate:         "check that webhooks arrive (mkio-bridge webhook history), and that sweeps are in time (mkio-bridge audit)",

	doctor.DeliveriesFail: "check that MK.IO reaches BRIDGE_WEBHOOK_URL, and the bridge's log; mkio-bridge webhook history --status Failed,Retrying lists the deliveries",
}
