// Package rule keeps the bridge's own webhook rule, in each project, as it must be.
//
// # What it must be
//
// The rule delivers every type of event to the bridge's public address ([Address]), is enabled, and brings the
// current secret in a header that MK.IO never shows again ([SecretHeader]). Headers and query parameters
// that somebody added in the open, for a proxy on the way, stay.
//
// # Whether it is
//
// The secret reads back masked, so it cannot be compared. What was last put is noted in the bucket of notes:
// the rule's id, and a salted HMAC of the secret. A rule of another id was made by somebody else,
// and what secret it brings is not known. To lose the note costs one more PUT.
//
// # Putting it right
//
// A PUT replaces the whole rule, and what is read back holds asterisks where secrets were. So the rule is always
// put whole, from what is known here. Two things are left to people, unless forced: a rule of the name that
// delivers to another address (not only with a slash at its end), which may be another bridge's, and one that was
// disabled and that no note tells to be ours.
//
// # Event types that MK.IO refuses
//
// Some types exist only for organisations with the feature behind them, and one refused type refuses the rule.
// Then those that the refusal names are left out; where it names none, those of scheduled operations, then
// those of channel instances too. What was accepted is noted and everything asked for again a day
// later. What the rule does not tell, the poller finds.
package rule
