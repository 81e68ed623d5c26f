package doctor

import (
	"fmt"

	"mkio-bridge/internal/event"
)

// A Code names a mistake, or what else can be done about a finding.
type Code string

// Of the way that deliveries take.
const (
	AddressMissing       Code = "address-missing"       // there is no webhook URL
	AddressPrivate       Code = "address-private"       // MK.IO cannot reach it
	AddressPlain         Code = "address-plain"         // http
	AddressUnattended    Code = "address-unattended"    // nobody registers it: there is no token
	AddressUnreachable   Code = "address-unreachable"   // from here
	CertificateUntrusted Code = "certificate-untrusted" // that answers there
	SecretRefused        Code = "secret-refused"        // 401 or 403
	PathUnknown          Code = "path-unknown"          // 404
	AddressElsewhere     Code = "address-elsewhere"     // a redirect
	BridgeUnready        Code = "bridge-unready"        // 429 or 503
	BridgeAway           Code = "bridge-away"           // another 5xx
	NoBridge             Code = "no-bridge"             // another answer
)

// Of NATS. Oldest versions are [OldestNATS] and [OldestBounded].
const (
	NATSUnreachable   Code = "nats-unreachable"
	EmbeddedAway      Code = "embedded-away"    // the bridge whose embedded server it is does not run
	EmbeddedRefused   Code = "embedded-refused" // it asks readers for a token
	VersionUnknown    Code = "version-unknown"
	VersionOld        Code = "version-old"
	JetStreamAway     Code = "jetstream-away"
	DomainOfServer    Code = "domain-of-server" // no domain is configured, and the server has one
	QueueLong         Code = "queue-long"       // of JetStream's API, now
	QueueShared       Code = "queue-shared"     // the server has one for all, and it cannot be bounded
	QueueUnknown      Code = "queue-unknown"    // whether it is bounded
	StreamUncreated   Code = "stream-uncreated" // the bridge will
	StreamUnlimited   Code = "stream-unlimited" // the account requires a limit of size
	StreamMissing     Code = "stream-missing"   // and the bridge creates none
	StreamUnanswered  Code = "stream-unanswered"
	StreamUnfit       Code = "stream-unfit"
	WritesRefused     Code = "writes-refused"      // see [WriteError]
	NotesUnreadable   Code = "notes-unreadable"    // the log's identity, or what was last put of the rule
	IdentityMismatch  Code = "identity-mismatch"   // see the errors of package identity
	IdentityReadopted Code = "identity-re-adopted" // at each start
)

// Of MK.IO and its projects.
const (
	MKIOFailed         Code = "mkio-failed" // a question
	MKIOUnreachable    Code = "mkio-unreachable"
	MKIOAddressWrong   Code = "mkio-address-wrong"
	MKIOTrustWrong     Code = "mkio-trust-wrong" // the authorities that are to be trusted cannot be read
	MKIOElsewhere      Code = "mkio-elsewhere"   // a redirect
	MKIOUnready        Code = "mkio-unready"
	TokenMissing       Code = "token-missing"
	TokenEnds          Code = "token-ends" // soon, or it did
	ProjectsUnknown    Code = "projects-unknown"
	ProjectUnreadable  Code = "project-unreadable" // the right is missing
	ProjectMissing     Code = "project-missing"
	ProjectInactive    Code = "project-inactive"
	RightMissing       Code = "right-missing" // see [RightError]
	ListUnreadable     Code = "list-unreadable"
	RulesUnreadable    Code = "rules-unreadable"
	RuleAddressMissing Code = "rule-address-missing" // there is no rule, and no address for one
	RuleDisabled       Code = "rule-disabled"        // and there is no address for it
	RuleElsewhere      Code = "rule-elsewhere"       // it delivers there
	RuleWrong          Code = "rule-wrong"           // or missing
	RuleOdd            Code = "rule-odd"             // perhaps on purpose
	RuleTwin           Code = "rule-twin"
	DeliveriesFail     Code = "deliveries-fail"
)

// A RightError is for a list that the token may not read.
type RightError struct {
	Right string // that the token lacks
	Err   error
}

func (e *RightError) Error() string { return fmt.Sprintf("the token lacks %s: %v", e.Right, e.Err) }

// Unwrap returns MK.IO's answer.
func (e *RightError) Unwrap() error { return e.Err }

// A WriteError is for a user of NATS who may not write all that a bridge writes.
type WriteError struct {
	Names   event.Names
	API     string // prefix of JetStream's API
	Buckets string // prefix of what is written to buckets; "" but in a domain
	Err     error
}

func (e *WriteError) Error() string { return fmt.Sprintf("try all writes of a bridge: %v", e.Err) }

// Unwrap returns the answer to the write that was refused.
func (e *WriteError) Unwrap() error { return e.Err }
