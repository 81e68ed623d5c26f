// Package poll polls MK.IO for the state of resources. It finds changes of which MK.IO sends no webhook, and those whose webhook
// was lost.
//
// # Levels, not edges
//
// A poll observes the current state, not the changes that led to it. Each observation goes through the same [Observer] as a
// webhook delivery, which decides whether it becomes the resource's next event. Webhooks make the bridge fast, polling makes it
// correct. This package decides nothing itself: it compares observations with the cached heads ([Observer.Compare]), and passes
// on those that may become events.
//
// # Parts
//
// A [Poller] (poll.go) polls each project whose lease it holds (lease.go). A project (project.go) wires these parts together and
// runs them; what they share does not change (scope.go):
//
//   - scheduler (scheduler.go): the loop. It starts polls of lists and rechecks when they are due, each in a goroutine of its own,
//     and waits for them.
//   - lists (lists.go): the lists of MK.IO that are polled. Each list (list.go) has a schedule, which says when its next polls are
//     due, and a progress, which says how far it has been compared. Child lists come and go with the parents in the log
//     (families.go), and a tick of the scheduler checks only those on which something is due (due.go).
//   - motions (motions.go): the resources in motion, according to the log. How often they are polled, and how, is in intervals.go.
//     Motions and families follow the log by what changed in its cache (changes.go), so that a tick costs the same however many
//     resources are known.
//   - The three modes of polling a list, which have no state: activePoll (active.go), deltaSweeps (delta.go), and fullSweeps
//     (sweep.go), which also confirm deletions (confirm.go, holdback.go).
//   - recheckQueue (recheck.go): the resources to request again. rechecker (rechecker.go) has few of them requested by their own
//     addresses (fetch.go), and leaves many to a poll of their list. Rechecks of projects that are not polled here are in
//     unclaimed.go.
//   - reporter (reporter.go, row_reporter.go, state_requests.go): makes the observations. Every response of MK.IO passes through it.
//   - waitingDeletions (deletions.go): holds back deletions that are too many at once.
//   - coverage (coverage.go, tally.go): stores what full sweeps verified, and the gaps.
//   - deliveryHistory (history.go, history_cursor.go): reads MK.IO's delivery history for deliveries that did not arrive. It is a
//     periodic task (task.go), as is reconciling the webhook rule.
//   - firstSweeps (first.go): which kinds have been swept once, for "discovered" events.
//   - identityCheck (identity_check.go): whether the project is the one whose events the log has. identityLoop (identity_loop.go)
//     repeats the check, and identityRecord (identity_record.go) is shared by all projects.
//   - progress.go: passes on how far running jobs are, as their rows show it, to a [ProgressStore].
//   - breaker (breaker.go): stops all requests of the project while the token is refused or the log cannot be written.
//   - outage (outage.go): makes one warning of many errors with one cause.
//
// The event log is behind five interfaces (log.go). Errors for which an operator may need advice are in errors.go.
//
// Each part guards its own state with a lock that its comment names. Under a lock a part reads at most the log's cache, or calls
// a part whose comment says that it calls nothing else under its own lock. So no two parts wait for each other, and no lock is
// held during a request to MK.IO. NATS is read or written under three locks only: those of lists and motions, to find the key of
// a resource token, and that of coverage.
//
// # Three modes
//
// The lists of a project (package mkio defines them) are polled in three modes, the most urgent first:
//
//   - active poll ("active" in logs and spans): the resources in motion, every Active. They are requested by their own addresses
//     if they are few, by lists filtered by state if MK.IO supports that, or as the whole list if that takes the fewest requests.
//   - delta sweep ("delta"): what changed since the last one, every Sweep, with an overlap. A list of one page is swept in full
//     instead: that costs the same and finds deletions.
//   - full sweep ("full"): the whole list, every Full. Only full sweeps find deletions.
//
// A full sweep by the active poll confirms no deletions: it brings the next full sweep forward, which does. While the first sweep of
// a list is under way, its delta sweeps wait for one Sweep.
//
// Child resources (live outputs, scheduled operations) have one list for each parent. The lists of assets and content key
// policies do not carry the state: it is requested for each resource until that is at rest. Resources that stay Pending are
// polled less and less often. All requests of a project share one budget, by urgency ([mkio.Class]); lists below many parents are
// polled less often, so that they take no more than a part of it.
//
// # Few and many
//
// The cost of a burst is that of its lists, not of its resources. Where single requests would take more than the pages of a list,
// the list is polled instead: for resources that left their state (active.go), and for rechecks (rechecker.go). Every row answers
// the recheck of its resource, whatever the list was requested for. What a delta sweep does not answer, a full sweep does, and what
// that does not, a request by address. Only deletions, states that no list has, and resources that are recorded as Deleted need a
// request each: these are concurrent, in a class that does not delay resources in motion.
//
// # Concurrent writers
//
// Before a request the log's horizon is noted: its highest known sequence. If the resource has an event beyond the horizon when
// the response arrives, that event was recorded during the request. If it has the state that the response shows, there is nothing
// to record; otherwise the response is discarded and the resource rechecked, by the active poll if it is in motion.
// Otherwise the observation carries the sequence of the resource's head as its basis, which is the expected sequence of the
// write: if another event came first, the write fails.
//
// # Failures
//
// An error of one resource (its record has no state, its address fails) does not affect the others: it is counted, logged as a
// warning once in each Full, and the resource is tried again. If too many single requests of a poll fail, the poll fails, and the
// list is polled with a backoff. If a page fails, the observations of the pages before it stay recorded, but nothing is concluded
// from the absence of a resource. A token that is refused, or a log that cannot be written, concerns every list: the breaker
// opens.
//
// # Deleted
//
// A resource is recorded as Deleted when all of this holds: a list was walked to its end without an unreadable row and lacks the
// resource, the resource's own address responds 404 in MK.IO's own format, and after that the project itself responds. A list
// that lacks many existing resources is rejected as a whole. A child list that responds 404 counts as empty only if its parent is
// gone. The time of the deletion is that of the 404. A resource that is recorded as Deleted is recorded as existing again only by
// its own address, and where that may be a replica that lags behind, it is rechecked later (package lifecycle says when).
//
// None of these responses may be a stored copy (package mkio defines that). The rows of a stored copy are observations of its own
// time, and absence from it proves nothing.
//
// An outage of MK.IO may look like that too. So when more than 20 resources of a kind, and more than a fifth of those living, are
// gone at once, their deletions wait: each is requested again after DeletePatience and only then recorded. Resources whose
// response is unclear, because it cannot be parsed or is a stored copy, count with them, but do not wait. So do the deletions that
// were recorded without waiting within the last DeletePatience. Where a kind lies on many short lists, siblings on other lists are
// sampled first. While deletions of a kind wait, its coverage has a gap. Waiting deletions are forgotten with the lease.
//
// # Identity
//
// The log has the events of one MK.IO (package identity). A project that responds with another id, or to a token of another
// organisation, is not polled until the right one responds again, and nothing of it is recorded. While it is unknown whether a
// project is the recorded one, it is polled, but no life ends: neither by a 404 nor by another life of the name. The first
// resource that shows a recorded life settles it. Before the end of a life is recorded, the identity is checked once more, after
// the response that shows the end. A life is the existence of one resource under a name, from its creation to its deletion.
//
// # Discovered
//
// The first sweep of a list finds resources that existed before any bridge polled it. The time at which it began is stored in a
// bucket, so that it survives restarts: resources created before that are "discovered", later ones are news. Where a record does
// not have the time of creation, every resource on the first sweep is discovered.
//
// # Who polls
//
// Each project is polled by the bridge that holds its lease, a key with a TTL. If two bridges both believe that they hold it, that
// costs requests and nothing else: every write has an expected sequence.
package poll
