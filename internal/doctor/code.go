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
	AddressUnattended    Code = "address-unregistered"  // without a token no rule is registered for it
	AddressUnreachable   Code = "address-unreachable"   // from this machine
	CertificateUntrusted Code = "certificate-untrusted" // of the server at the URL
	SecretRefused        Code = "secret-refused"        // status 401 or 403
	PathUnknown          Code = "path-unknown"          // status 404
	AddressElsewhere     Code = "address-redirects"     // a redirect
	BridgeUnready        Code = "bridge-not-ready"      // status 429 or 503
	BridgeAway           Code = "bridge-unavailable"    // another 5xx status
	NoBridge             Code = "no-bridge"             // any other response
)

// Codes of NATS. Versions are compared with [OldestNATS] and [OldestBounded].
const (
	NATSUnreachable   Code = "nats-unreachable"
	EmbeddedAway      Code = "embedded-not-running" // the bridge that embeds the server does not run
	EmbeddedRefused   Code = "embedded-refused"     // the embedded server requires the reader token
	VersionUnknown    Code = "version-unknown"
	VersionOld        Code = "version-old"
	JetStreamAway     Code = "jetstream-unavailable"
	DomainOfServer    Code = "domain-not-configured" // the server has a domain, and none is configured
	QueueLong         Code = "queue-long"            // the queue of JetStream's API is slow now
	QueueShared       Code = "queue-shared"          // the server has one queue for all requests, without info_queue_limit
	QueueUnknown      Code = "queue-unknown"         // the server does not report its info_queue_limit
	StreamUncreated   Code = "stream-not-created"    // the bridge creates it at its next start
	StreamUnlimited   Code = "stream-unlimited"      // the account requires a size limit
	StreamMissing     Code = "stream-missing"        // and the bridge is configured not to create it
	StreamUnanswered  Code = "stream-unavailable"
	StreamUnfit       Code = "stream-mismatch"
	WritesRefused     Code = "writes-refused"      // see [WriteError]
	NotesUnreadable   Code = "notes-unreadable"    // the log's identity, or the rule as a bridge last registered it
	IdentityMismatch  Code = "identity-mismatch"   // see the errors of package identity
	IdentityReadopted Code = "identity-re-adopted" // adoption is still configured after the start that needed it
)

// Codes of MK.IO and its projects.
const (
	MKIOFailed         Code = "mkio-failed" // a request to MK.IO failed
	MKIOUnreachable    Code = "mkio-unreachable"
	MKIOAddressWrong   Code = "mkio-address-invalid"
	MKIOTrustWrong     Code = "mkio-ca-invalid" // the file of certificate authorities cannot be read
	MKIOElsewhere      Code = "mkio-redirects"  // a redirect
	MKIOUnready        Code = "mkio-not-ready"
	TokenMissing       Code = "token-missing"
	TokenEnds          Code = "token-expires" // expires soon, or has expired
	ProjectsUnknown    Code = "projects-unknown"
	ProjectUnreadable  Code = "project-unreadable" // the token lacks the right
	ProjectMissing     Code = "project-missing"
	ProjectInactive    Code = "project-inactive"
	RightMissing       Code = "right-missing" // see [RightError]
	ListUnreadable     Code = "list-unreadable"
	RulesUnreadable    Code = "rules-unreadable"
	RuleAddressMissing Code = "rule-address-missing" // there is no rule, and no webhook URL to register one
	RuleDisabled       Code = "rule-disabled"        // and no webhook URL is configured
	RuleElsewhere      Code = "rule-other-url"       // delivers to another URL
	RuleWrong          Code = "rule-mismatch"        // differs from the configuration, or is missing
	RuleOdd            Code = "rule-unusual"         // unusual, perhaps on purpose
	RuleTwin           Code = "rule-duplicate"       // another rule delivers to the same URL
	DeliveriesFail     Code = "deliveries-fail"
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
