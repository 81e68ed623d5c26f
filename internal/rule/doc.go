// Package rule reconciles the bridge's own webhook rule in each project of MK.IO ([Reconciler.Reconcile], reconciler.go).
//
// # The desired rule
//
// The rule delivers every type of event to the bridge's public address ([Address], address.go), is enabled, and sends the
// current secret in a header whose value MK.IO does not show ([SecretHeader]). Other headers and query parameters whose
// values can be read, which an operator added for a proxy, are kept.
//
// # The difference
//
// MK.IO shows asterisks in place of the secret, so it cannot be compared. What was last put is stored in a bucket
// (last_put.go): the rule's id, and a salted HMAC of the secret. A rule with another id was created by another client, and
// its secret is unknown. If the stored value is lost, the rule is updated once more. The difference is described in
// change.go.
//
// # The update
//
// A PUT replaces the whole rule, and what MK.IO shows has asterisks in place of secrets. So the whole rule is always put,
// from what the bridge knows. Without force two things are left to people: a rule of the name with another URL (a slash at
// its end aside), which may be another bridge's, and a disabled rule that is not known to be this bridge's.
//
// # Event types that MK.IO refuses
//
// Some types exist only for organisations that have a feature, and MK.IO refuses a rule with one type that it does not have
// (events.go). Then the types that the error names are left out; if it names none, those of scheduled operations, then also
// those of channel instances. The accepted types are stored, and all are requested again a day later. Polling covers the
// missing ones.
package rule
