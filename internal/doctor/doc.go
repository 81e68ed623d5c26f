// Package doctor checks an installation from the outside in, and changes nothing: the address that MK.IO delivers to, NATS
// and the streams, MK.IO's API and the token, and of each project the token's rights and the webhook rule.
//
// [Examine] yields a [Finding] for each check, in this order, as soon as it is made:
//
//	delivery   what the address is, and what answers there to an empty batch with the secret
//	NATS       the connection, the server's version, JetStream, its API's queue; each stream; the right to write
//	MK.IO      whether it answers, and whether it is the one that the log is of; the token; the projects
//	project    its identity, the right to read each list that is polled, the rule, its twins and its deliveries
//
// Where a check fails on which others stand, those are not made: without JetStream no stream is looked at, without a token
// that may be valid no project. Each question has a time limit of its own, so that a part that does not answer costs no
// more than that. Who stops taking findings, or ends the context, ends the checks.
//
// A finding says what was checked, how bad it is and what was found, in words for people that show no secret. It does not
// say what to do: its [Code] says which mistake it is, and its cause, where there is one, is an error of the package that
// found it, or of this one ([RightError], [WriteError]). Who knows the settings turns both into advice.
//
// All that the checks use is in [Config]. What may fail to be made, such as the connection to NATS, is a function there, so
// that its failure is a finding among the others. The settings themselves are not checked here: they are read by then.
package doctor
