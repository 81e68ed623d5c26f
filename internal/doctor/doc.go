// Package doctor checks an installation from the outside in, and changes nothing: the address that MK.IO delivers to, NATS
// and the streams, MK.IO's API and the token, and for each project the token's rights and the webhook rule.
//
// [Examine] yields a [Finding] for each check, in this order, as soon as it is made:
//
//	delivery   what the address is, and what answers there to an empty batch with the secret
//	NATS       the connection, the server's version, JetStream, its API's queue; each stream; the right to write
//	MK.IO      whether it answers, and whether it is the one that the log is of; the token; the projects
//	project    for each: its identity, the right to read each list that is polled, the rule, other rules that deliver to
//	           the same address (twins), and the deliveries of the last day
//
// A check whose precondition failed is skipped, without a finding: without JetStream no stream is checked, without a token
// that may be valid no project. Every check has a time limit, so that a part that does not answer costs no more than that.
// The checks end when the caller stops taking findings or cancels the context.
//
// A finding says what was checked, how bad it is and what was found, in words for people, and shows no secret. It does not
// say what to do: its [Code] names the mistake, and its cause, where there is one, is an error of the package that found it,
// or of this one ([RightError], [WriteError]). The caller, who knows the settings, turns both into advice.
//
// In the code a function check… sends requests; a function judge… sends none, and makes a finding of what is known.
//
// All that the checks use is in [Config]. What may fail, such as connecting to NATS, is a function there, so that its failure
// becomes a finding. The settings themselves are not checked here: the caller has read them.
package doctor
