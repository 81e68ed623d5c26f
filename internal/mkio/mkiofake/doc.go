// Package mkiofake is a simulated MK.IO: its REST API, its webhooks, and what happens in its projects.
//
// An [MKIO] holds the resources of some projects. A script ([Day]) or a test changes them; each change is
// stamped with MK.IO's own clock, which may run faster than ours, and is told by webhook where MK.IO
// documents that it tells. The API shows what is there the way MK.IO documents it, with its own words per
// kind, its own filters per list, its own limits per project. Nothing in here is shared with the code that
// reads MK.IO: what both sides took from one table could be wrong on both sides.
//
// It is rude where the documentation allows it ([Faults]): deliveries come late, twice, out of order or never;
// answers fail, break off, show what was a moment ago, or come from a cache or a lagging replica. Its clock may be
// set, a second organisation may answer at the same address, a project may be made anew, and all below a project may
// be answered 404 for a while. And it remembers what was true ([MKIO.Changes]), what it
// told and what it showed, so that a checker can say which changes a bridge must have found.
//
// One mutex guards all state, and an answer is made in one hold of it: what a page shows was so at the moment
// its Date header tells (but for the faults that are about just that). Waiting, for slow answers and for
// receivers of deliveries, is done without it. Chances are drawn from streams numbered by request and by
// delivery, so that a seed gives the same faults again as far as requests come in the same order.
//
// Not simulated: calls that change resources, labels ($label is taken and not heeded), transforms and storage.
package mkiofake
