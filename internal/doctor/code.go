package doctor

import (
	"fmt"

	"mkio-bridge/internal/event"
)

// A Code names a fault, or another result for which there is advice.
type Code string

// Codes of the webhook URL, and of the response to a test delivery there.
const (
	AddressMissing       Code = "address-missing"       // no webhook URL is configured
	AddressPrivate       Code = "address-private"       // MK.IO cannot reach the host
	AddressPlain         Code = "address-plain"         // http, not https
	AddressUnregistered  Code = "address-unregistered"  // without a token no rule is registered for it
	AddressUnreachable   Code = "address-unreachable"   // from this machine
	CertificateUntrusted Code = "certificate-untrusted" // of the server at the URL
	SecretRefused        Code = "secret-refused"        // status 401 or 403
	PathUnknown          Code = "path-unknown"          // status 404
	AddressRedirects     Code = "address-redirects"     // a redirect
	BridgeNotReady       Code = "bridge-not-ready"      // status 429 or 503
	BridgeUnavailable    Code = "bridge-unavailable"    // another 5xx status
	NoBridge             Code = "no-bridge"             // any other response
)

// Codes of NATS. Versions are compared with [OldestNATS] and [OldestBounded].
const (
	NATSUnreachable      Code = "nats-unreachable"
	EmbeddedNotRunning   Code = "embedded-not-running" // the bridge that embeds the server does not run
	EmbeddedRefused      Code = "embedded-refused"     // the embedded server requires the reader token
	VersionUnknown       Code = "version-unknown"
	VersionOld           Code = "version-old"
	JetStreamUnavailable Code = "jetstream-unavailable"
	DomainNotConfigured  Code = "domain-not-configured" // the server has a domain, and none is configured
	QueueLong            Code = "queue-long"            // the queue of JetStream's API is slow now
	QueueShared          Code = "queue-shared"          // the server has one queue for all requests, without info_queue_limit
	QueueUnknown         Code = "queue-unknown"         // the server does not report its info_queue_limit
	StreamNotCreated     Code = "stream-not-created"    // the bridge creates it at its next start
	StreamUnlimited      Code = "stream-unlimited"      // the account requires a size limit
	StreamMissing        Code = "stream-missing"        // and the bridge is configured not to create it
	StreamUnavailable    Code = "stream-unavailable"
	StreamMismatch       Code = "stream-mismatch"
	ProgressUnavailable  Code = "progress-unavailable" // the bucket of the progress of jobs, which is optional
	WritesRefused        Code = "writes-refused"       // see [WriteError]
	NotesUnreadable      Code = "notes-unreadable"     // the log's identity, or the rule as a bridge last registered it
	IdentityMismatch     Code = "identity-mismatch"    // see the errors of package identity
	IdentityReadopted    Code = "identity-re-adopted"  // adoption is still configured after the start that needed it
)

// Codes of MK.IO and its projects.
const (
	MKIOFailed         Code = "mkio-failed" // a request to MK.IO failed
	MKIOUnreachable    Code = "mkio-unreachable"
	MKIOAddressInvalid Code = "mkio-address-invalid"
	MKIOCAInvalid      Code = "mkio-ca-invalid" // the file of certificate authorities cannot be read
	MKIORedirects      Code = "mkio-redirects"  // a redirect
	MKIONotReady       Code = "mkio-not-ready"
	TokenMissing       Code = "token-missing"
	TokenExpires       Code = "token-expires"     // expires soon, or has expired
	TokenShortLived    Code = "token-short-lived" // of a login, or ephemeral
	ProjectsUnknown    Code = "projects-unknown"
	ProjectUnreadable  Code = "project-unreadable" // the token lacks the right
	ProjectMissing     Code = "project-missing"
	ProjectInactive    Code = "project-inactive"
	RightMissing       Code = "right-missing" // see [RightError]
	ListUnreadable     Code = "list-unreadable"
	RulesUnreadable    Code = "rules-unreadable"
	RuleAddressMissing Code = "rule-address-missing" // there is no rule, and no webhook URL to register one
	RuleDisabled       Code = "rule-disabled"        // and no webhook URL is configured
	RuleOtherURL       Code = "rule-other-url"       // delivers to another URL
	RuleMismatch       Code = "rule-mismatch"        // differs from the configuration, or is missing
	RuleUnusual        Code = "rule-unusual"         // unusual, perhaps on purpose
	RuleDuplicate      Code = "rule-duplicate"       // another rule delivers to the same URL
	DeliveriesFail     Code = "deliveries-fail"
)

// Codes of the log and of polling, as package status judges them.
const (
	NotPolled      Code = "not-polled"      // no bridge has the lease of a project
	NothingPolled  Code = "nothing-polled"  // no bridge polls any project, and none ever did
	PollingStopped Code = "polling-stopped" // its leader does not poll it; the finding of the leader has the advice
	BudgetUsed     Code = "budget-used"     // nearly all of the request budget is used
	LogDamaged     Code = "log-damaged"     // events are missing in the middle
	CoverageGap    Code = "coverage-gap"    // it is not verified that the log has every change
	UnappliedGrows Code = "unapplied-grows"
	UnappliedFull  Code = "unapplied-full"
	ResourcesStuck Code = "resources-stuck"
	EventsLate     Code = "events-late"
)

// A RightError is for a list that the token may not read.
type RightError struct {
	Right string // that the token lacks
	Err   error
}

func (e *RightError) Error() string { return fmt.Sprintf("the token lacks %s: %v", e.Right, e.Err) }

// Unwrap returns the error of the request to MK.IO.
func (e *RightError) Unwrap() error { return e.Err }

// A WriteError is for a NATS user who lacks write permissions of a bridge.
type WriteError struct {
	Names   event.Names
	API     string // prefix of JetStream API subjects
	Buckets string // prefix of subjects of bucket writes; "" without a domain
	Err     error
}

func (e *WriteError) Error() string { return fmt.Sprintf("try the bridge's writes: %v", e.Err) }

// Unwrap returns the error of the refused write.
func (e *WriteError) Unwrap() error { return e.Err }
