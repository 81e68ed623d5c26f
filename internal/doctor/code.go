package doctor

import (
	"fmt"

	"mkio-bridge/internal/event"
)

// A Code names a mistake, or something else about which advice can be given. A comment completes the name where that does not
// say all.
type Code string

// Codes of the address that deliveries are sent to, and of what answers there.
const (
	AddressMissing       Code = "address-missing"       // there is no webhook URL
	AddressPrivate       Code = "address-private"       // MK.IO cannot reach it
	AddressPlain         Code = "address-plain"         // it is http, not https
	AddressUnattended    Code = "address-unattended"    // no rule is registered for it: there is no token
	AddressUnreachable   Code = "address-unreachable"   // from here
	CertificateUntrusted Code = "certificate-untrusted" // the certificate of the server there
	SecretRefused        Code = "secret-refused"        // 401 or 403
	PathUnknown          Code = "path-unknown"          // 404
	AddressElsewhere     Code = "address-elsewhere"     // a redirect
	BridgeUnready        Code = "bridge-unready"        // 429 or 503
	BridgeAway           Code = "bridge-away"           // another 5xx
	NoBridge             Code = "no-bridge"             // another answer
)

// Codes of NATS. Versions are compared with [OldestNATS] and [OldestBounded].
const (
	NATSUnreachable   Code = "nats-unreachable"
	EmbeddedAway      Code = "embedded-away"    // the bridge that has the embedded server does not run
	EmbeddedRefused   Code = "embedded-refused" // the embedded server requires a token of readers
	VersionUnknown    Code = "version-unknown"
	VersionOld        Code = "version-old"
	JetStreamAway     Code = "jetstream-away"
	DomainOfServer    Code = "domain-of-server" // no domain is configured, and the server has one
	QueueLong         Code = "queue-long"       // of JetStream's API, now
	QueueShared       Code = "queue-shared"     // the server has one for all requests, and it cannot be bounded
	QueueUnknown      Code = "queue-unknown"    // whether it is bounded
	StreamUncreated   Code = "stream-uncreated" // the bridge will create it
	StreamUnlimited   Code = "stream-unlimited" // the account requires a size limit
	StreamMissing     Code = "stream-missing"   // and the bridge creates none
	StreamUnanswered  Code = "stream-unanswered"
	StreamUnfit       Code = "stream-unfit"
	WritesRefused     Code = "writes-refused"      // see [WriteError]
	NotesUnreadable   Code = "notes-unreadable"    // of the log's identity, or of the rule as a bridge last registered it
	IdentityMismatch  Code = "identity-mismatch"   // see the errors of package identity
	IdentityReadopted Code = "identity-re-adopted" // at each start: adopting is configured and was meant for one
)

// Codes of MK.IO and its projects.
const (
	MKIOFailed         Code = "mkio-failed" // a request to it
	MKIOUnreachable    Code = "mkio-unreachable"
	MKIOAddressWrong   Code = "mkio-address-wrong"
	MKIOTrustWrong     Code = "mkio-trust-wrong" // the file of trusted authorities cannot be read
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
	RuleElsewhere      Code = "rule-elsewhere"       // it delivers to another address
	RuleWrong          Code = "rule-wrong"           // it is wrong, or missing
	RuleOdd            Code = "rule-odd"             // perhaps on purpose
	RuleTwin           Code = "rule-twin"            // another rule delivers here too
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
