// Package doctor checks an installation from the outside in, and changes nothing: the address that MK.IO delivers to, NATS
// and the streams, MK.IO's API and the token, and for each project the token's rights and the webhook rule.
//
// [Examine] yields a [Finding] for each check, in this order, as soon as it is made:
//
//	delivery   the webhook URL, and its response to an empty batch with the secret
//	NATS       the connection, the server's version, JetStream, its API queue; each stream; permissions to write
//	MK.IO      whether it responds, and whether it is the MK.IO of the log; the token; the projects
//	project    for each: its identity, the right to read each polled list, the rule, other rules that deliver to the same
//	           URL, and the deliveries of the last day
//
// A check whose precondition failed is skipped, without a finding: without JetStream no stream is checked, without a token
// that may be valid no project. Every check has a timeout. The checks end when the caller stops ranging over the findings or
// cancels the context.
//
// A finding has the name of the check, its level and a text, which contains no secret. It has no advice: its [Code] names
// the fault, and its cause, if it has one, is an error of the package that found it, or of this one ([RightError],
// [WriteError]). The caller, who knows the settings, turns both into advice.
//
// In the code a function check… sends requests; a function judge… sends none, and makes a finding from its arguments.
//
// [Config] has everything that the checks use. What may fail, such as connecting to NATS, is a function there, so that its
// failure becomes a finding. The caller has already checked the settings themselves.
package doctor
