// Package lifecycle decides whether an observation of a MK.IO resource is the resource's next event.
//
// It is pure: values in, a verdict out; no clock, no context, no network. Webhooks and polls both pass an [Observation]: a
// resource was in a state. The recorded state of a resource is a [Fact], its last event in the log. [Decide] compares the
// two (decide.go), by the evidence that orders them (evidence.go), and returns a [Verdict] (verdict.go). Kinds and keys are
// in resource.go, states and phases in state.go, unapplied deliveries in unapplied.go.
//
// # Outcomes
//
//	nothing recorded                                        Changed   event 1
//	a newer, different state                                Changed   the next event
//	provisioning turned Failed (or recovered), same state   Changed   the next event
//	the recorded state, the same time or delivery id        Repeat    none: a duplicate
//	the recorded state with a newer MK.IO time              Flap      none: it left the state and returned, unobserved
//	a state older than the recorded one                     Late      none: unapplied, unless the log has it already
//	two facts that no evidence orders                       Conflict  none: unapplied, and the resource is rechecked
//	the same name, another life                             Reborn    Deleted (when not yet recorded), then the event
//
// # Out of order, or a duplicate
//
// A retry may arrive after a later state: Processing, Finished, Processing again. Compared with the last event that is Late.
// The caller then searches the resource's former events, and [Fact.Records] says whether one of them records this very
// observation: the same delivery id, or the same MK.IO time. If so it is a Repeat.
//
// A Flap leaves no event, but an observation older than a flap is out of order. The caller caches the time of the flap while
// it runs; after a restart a state from before a flap may follow the recorded one, until a poll corrects it.
//
// # Retried deliveries
//
// An unapplied delivery may be decided again much later ([Observation.Retried]). Then its time of arrival is no evidence:
// only MK.IO's times count, or the order within one life that both facts name. Without those it is a Conflict, and it is
// never taken in order of arrival. An earlier visit to the recorded state is Late: the log does not have it.
//
// # How two facts are ordered
//
// Names are reused after deletion, so the first question is whether both facts are of the same life. A life is the time from
// a resource's creation to its deletion, identified by MK.IO's internal id, else by the time of creation. Two ids, or two
// creation times, are two lives; an id cannot be compared with a time. A resource created after everything recorded is
// another life, whatever else is known. Of two lives, the one with the later times follows the other.
//
// Within one life, strongest first:
//
//  1. Deleted is the end of a life, and a job that is Finished, in Error or Canceled never returns to Queued, Scheduled,
//     Processing or Canceling. If the life is not known, this needs times that agree; otherwise it is a Conflict. A poll
//     revives a life that is recorded as ended only if its response is newer than the end: the record was modified after the
//     end, or MK.IO still returns the resource 15 minutes later. A poll may also correct one end of a job to another.
//  2. A response that MK.IO generated before the recorded state was observed, or reached, is stale, whatever its content.
//     [Observation.SeenBefore] is when MK.IO generated it, by its Date and Age. Fresh responses may differ by the [Skew] of
//     the servers' clocks; a response from a cache ([Observation.Stored]) must be strictly newer.
//  3. MK.IO's own times, like with like: the record's modification time on both sides, then the time of the change on both
//     sides. Equal times order nothing. A webhook with an older time of the change is older, however new its record.
//  4. The window of a poll against the time of a webhook: a change after the response that had the recorded state is newer,
//     one before the last response that had the former state is older. Inside the window there is no order.
//  5. A poll observes the present. It carries the sequence that was recorded before its request ([Observation.Basis]). If
//     nothing was recorded meanwhile, its state is newer than the recorded one, unless its modification time proves a stale
//     response. If something was, a poll of the very state that is recorded is a repeat, and any other is stale. An earlier job state in a record that was not modified since the recorded change is from a replica that lags.
//  6. A job's usual order: Queued, Scheduled, Processing, Canceling, the end.
//
// A recorded time ahead of MK.IO's clock ([Observation.Clock]) is no evidence: it was wrong, or the clock was set back
// since. If the clock is not known for sure, all recorded times count.
//
// One case has no evidence: a replica that lags, but responds with the current Date and a record that the missing change
// would not have modified. It looks like MK.IO returning to a former state. Only ends, and the order of a job, are
// protected.
//
// Without any evidence the verdict is Conflict: a recheck is cheaper than a guess.
//
// # States
//
// States are compared without regard to case and stored as MK.IO spelt them. The empty state is a state. An unlisted state
// is news like any other, in phase "unknown". Any state may follow any other: polls miss intermediate states, and MK.IO does
// not send webhooks for all of them.
//
// provisioningState is not a state. Only whether it is Failed counts here: two neighbours in the log never have the same
// pair of state and provisioning failure. A webhook without a provisioningState does not mean that it recovered.
package lifecycle
