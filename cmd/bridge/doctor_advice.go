package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/poll"
)

// doctorAdvice says what to do about a finding; "" where nothing is to be done. What a cause says goes before the codes.
func doctorAdvice(f doctor.Finding) string {
	if do := causeAdvice(f.Cause); do != "" {
		return do
	}
	var all []string
	for _, code := range f.Codes {
		all = append(all, codeAdvice[code])
	}
	return strings.Join(all, "; ")
}

// causeAdvice is for causes that say more than the codes do; "" for others.
func causeAdvice(err error) string {
	if refused, ok := errors.AsType[*doctor.WriteError](err); ok {
		return writeAdvice(refused)
	}
	if lacks, ok := errors.AsType[*doctor.RightError](err); ok {
		return "give the token " + lacks.Right + " in this project, or leave the kind out of BRIDGE_KINDS"
	}
	return cmp.Or(advice(err), tokenAdvice(err))
}

// writeAdvice names the rights that a bridge needs on NATS.
func writeAdvice(refused *doctor.WriteError) string {
	n := refused.Names
	return fmt.Sprintf("let the user publish to %[1]s, %[2]s.>, %[3]s.>, %[4]s$KV.%[5]s.>, %[4]s$KV.%[6]s.> and %[7]s>, and subscribe to _INBOX.>; "+rightsFile+" names the parts of %[7]s> that a bridge needs, such as %[7]sSTREAM.MSG.DELETE.%[8]s for retries",
		n.EventSubjects(), n.UnappliedPrefix(), n.AuditPrefix(), refused.Buckets, n.LeaseBucket(), n.NotesBucket(), refused.API, n.UnappliedStream())
}

// queueAdvice is how to bound the queue of JetStream's API, as the embedded server does.
const queueAdvice = "set info_queue_limit: 256 in the jetstream block of the servers' configuration"

// codeAdvice says what to do about each mistake, where its cause does not say more.
var codeAdvice = map[doctor.Code]string{
	doctor.AddressMissing:       "set BRIDGE_WEBHOOK_URL to the address at which MK.IO reaches this bridge",
	doctor.AddressPrivate:       "set BRIDGE_WEBHOOK_URL to a public address",
	doctor.AddressPlain:         "put TLS in front, or set BRIDGE_TLS_CERT and BRIDGE_TLS_KEY, and give an https address",
	doctor.AddressUnattended:    "set BRIDGE_MKIO_TOKEN, or see in MK.IO that each project has a rule that delivers there",
	doctor.AddressUnreachable:   "see name resolution, firewall and what stands in front of the bridge; only MK.IO must reach the address, and its deliveries tell whether it does",
	doctor.CertificateUntrusted: "give the address a certificate that MK.IO trusts, of a public authority and for this host",
	doctor.SecretRefused:        "the bridge that answers there has other secrets, or what stands before it wants others: give both the same BRIDGE_WEBHOOK_SECRETS, or set BRIDGE_WEBHOOK_URL to this bridge",
	doctor.PathUnknown:          "correct the path of BRIDGE_WEBHOOK_URL, or have the proxy in front pass requests on to " + webhookPath + " of the bridge",
	doctor.AddressElsewhere:     "set BRIDGE_WEBHOOK_URL to where it leads: deliveries are not sent on",
	doctor.BridgeUnready:        "see the bridge's /readyz and log; deliveries come again",
	doctor.BridgeAway:           "see that the bridge runs, and that the proxy in front reaches it",
	doctor.NoBridge:             "see that the bridge, and of this version, answers at BRIDGE_WEBHOOK_URL, and that the proxy in front passes on body and headers as they are",

	doctor.NATSUnreachable:   "correct the BRIDGE_NATS_… setting that it names",
	doctor.EmbeddedAway:      "start the bridge, whose embedded server this is, or set BRIDGE_NATS_URL",
	doctor.EmbeddedRefused:   "set BRIDGE_NATS_READER_TOKEN as the bridge has it",
	doctor.VersionUnknown:    "see that it is " + doctor.OldestNATS.String() + " or newer",
	doctor.VersionOld:        "update it to " + doctor.OldestNATS.String() + " or newer",
	doctor.JetStreamAway:     "enable JetStream on the server and for this account; where it is, its API queue may be full of readers' requests: " + queueAdvice,
	doctor.DomainOfServer:    "where the streams are to be in another domain, set BRIDGE_NATS_DOMAIN",
	doctor.QueueLong:         queueAdvice + ", and see who asks so much",
	doctor.QueueShared:       "update it to " + doctor.OldestBounded.String() + " or newer, and " + queueAdvice,
	doctor.QueueUnknown:      queueAdvice,
	doctor.StreamUncreated:   "start the bridge, which creates it",
	doctor.StreamMissing:     "create it, or set BRIDGE_STREAM_MANAGE=create and start the bridge",
	doctor.StreamUnanswered:  "see that the NATS servers run and have a leader, and try again",
	doctor.StreamUnfit:       "change the stream, or choose another BRIDGE_SUBJECT_PREFIX; the bridge refuses to run on it",
	doctor.NotesUnreadable:   "see to NATS first",
	doctor.IdentityReadopted: "unset BRIDGE_MKIO_ADOPT after the start that needed it",

	doctor.MKIOFailed:         "try again later",
	doctor.MKIOUnreachable:    wayAdvice(nil),
	doctor.MKIOAddressWrong:   "correct BRIDGE_MKIO_URL",
	doctor.MKIOTrustWrong:     "correct BRIDGE_MKIO_CA",
	doctor.MKIOElsewhere:      "set BRIDGE_MKIO_URL to where it leads",
	doctor.MKIOUnready:        "wait; the bridge does too",
	doctor.TokenMissing:       "set BRIDGE_MKIO_TOKEN",
	doctor.TokenEnds:          tokenAdvice(&poll.TokenEndsError{}),
	doctor.ProjectsUnknown:    "name them in BRIDGE_PROJECTS, or give the token the right to see them",
	doctor.ProjectUnreadable:  "give the token the right to read the project: without it a deletion cannot be told from a project out of sight",
	doctor.ProjectMissing:     "correct its name in BRIDGE_PROJECTS (case counts), or give the token rights in it",
	doctor.ProjectInactive:    "take it out of BRIDGE_PROJECTS, or activate it",
	doctor.ListUnreadable:     "try again later, or leave the kind out of BRIDGE_KINDS",
	doctor.RulesUnreadable:    "give the token webhooks.config.get in this project (and .create, .update, so that the bridge can keep the rule right); until then changes are found by polling",
	doctor.RuleAddressMissing: "set BRIDGE_WEBHOOK_URL, then bridge webhook register",
	doctor.RuleDisabled:       "set BRIDGE_WEBHOOK_URL, then bridge webhook register --force",
	doctor.RuleElsewhere:      "choose another BRIDGE_WEBHOOK_RULE, or take it over: bridge webhook register --force",
	doctor.RuleWrong:          "bridge webhook register",
	doctor.RuleOdd:            "nothing, where this is meant to be so",
	doctor.RuleTwin:           "delete one of them",
	doctor.DeliveriesFail:     "see that MK.IO reaches BRIDGE_WEBHOOK_URL and what the bridge's log says; bridge webhook history --status Failed,Retrying lists them",
}
