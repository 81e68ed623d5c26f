// Package lifecycle says what is true of a MK.IO resource and what counts as news.
//
// It is pure: values in, a verdict out; no clock, no context, no network. Both sources, the
// webhook that tells and the poll that asks, speak to it in one type, [Observation]: "this
// resource is in this state". What the log holds of a resource is a [Fact], its last event.
// [Decide] compares the two.
//
// # What becomes of an observation
//
//	nothing recorded                                        Changed   event 1
//	a newer, different state                                Changed   the next event
//	provisioning turned Failed (or recovered), same state   Changed   the next event
//	the recorded state, the same time or delivery id        Repeat    nothing
//	the recorded state with a newer MK.IO time              Flap      nothing: it left and came back unseen
//	a state older than the recorded one                     Late      kept aside, unless it is in the log already
//	two facts that no evidence orders                       Conflict  kept aside, and MK.IO is asked
//	the same name, another life                             Reborn    Deleted (when not yet recorded), then event
//
// # Late, or in the log already
//
// A retry may come after a later state: Processing, Finished, Processing again. Against the
// last event alone that is Late. The caller then looks through the resource's earlier events
// of the same state, and [Fact.Tells] says whether one of them is this very observation: the
// same delivery id, or the same MK.IO time. If so it was a Repeat.
//
// A Flap leaves no event, but what is older than it is late all the same. The caller remembers its time
// for as long as it runs; after that a state from before a Flap may follow the recorded one, until a poll shows
// better.
//
// # Told again
//
// A delivery that was put aside may be looked at again much later ([Observation.Retried]). Then only evidence
// counts that does not rest on when it came: MK.IO's times, or the order of one life that both facts name. Without any
// it is a Conflict, and it is never taken in order of arrival. An earlier visit to the recorded state is Late: it is
// not in the log.
//
// # How two facts are ordered
//
// Names are re-used after deletion, so the first question is whether both facts speak of the
// same life. A life is MK.IO's internal id, else the time the resource was created. Two ids, or
// two creation times, tell lives apart; an id says nothing about a time. A record created after
// everything recorded is another life whatever else it says. Of two lives the one with the later
// times follows the other.
//
// Within one life, strongest first:
//
//  1. Deleted is the end of a life, and a job that is Finished, in Error or Canceled never goes
//     back to Queued, Scheduled, Processing or Canceling. Where the life is not known this needs
//     the times to agree; where they do not, it is a Conflict. A life that ended stays ended, also where MK.IO shows it
//     to a poll that knew of the end, unless that is newer than the end: the record was modified after it, or the
//     life is still shown a quarter of an hour later. Another end of a job counts.
//  2. An answer that MK.IO took before the recorded state was seen, or came about, is stale and decides nothing, whatever
//     it shows. [Observation.SeenBefore] says when MK.IO took it, by its Date and Age. Answers of now may be
//     apart by the [Skew] of its servers' clocks; a stored copy must be newer by all means.
//  3. MK.IO's own times, like with like: the record's modification time on both sides, then the
//     time of the change on both sides. Equal times order nothing. A webhook whose time of the change
//     is older is older, however new the record that it brings.
//  4. The window of a poll against the time of a webhook: a change told to have happened after
//     the look that showed the recorded state is newer, one from before the look that still
//     showed the state before it is older. Inside the window nothing is known.
//  5. A poll asks for the present. It carries the sequence that was recorded before it asked
//     ([Observation.Basis]); if nothing was recorded meanwhile, what it saw is newer than the
//     record, unless its own modification time says that it was read from a stale copy.
//     A job that is shown in a state from before the recorded one, by a record not modified since the recorded
//     change, was read from a replica that lags.
//  6. A job's usual order: Queued, Scheduled, Processing, Canceling, the end.
//
// A recorded time that lies ahead of MK.IO's clock ([Observation.Clock]) is no evidence: it was made up, or the clock was
// set back since. Where the clock is not known for sure, all recorded times count.
//
// What no evidence can tell: a replica that lags behind, answers with a Date of now, and shows a record that was not
// modified by the change that it does not have yet, looks like MK.IO going back. Only ends, and the order of a job, are
// safe from it.
//
// Where all are silent the verdict is Conflict: asking MK.IO is cheaper than guessing.
//
// # Words
//
// States are compared without regard to case and kept as MK.IO spelt them. The empty state is a
// state. A word nobody listed is news like any other, in phase "unknown". Any state may follow
// any: intermediate states are missed by polls and are not told by webhooks.
//
// provisioningState is not a state. Only whether it is Failed counts here: two neighbours in the
// log never carry the same pair of state and provisioning failure. A webhook that does not tell it
// does not tell that it recovered.
package lifecycle
