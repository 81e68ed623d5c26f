// Package mkiofake simulates MK.IO: its REST API, its webhooks, and what happens in its projects.
//
// An [MKIO] holds the resources of some projects. A script ([Day]) or a test changes them. Each change gets the time of
// MK.IO's own clock, which may run faster than real time, and is delivered by webhook where MK.IO documents a delivery. The
// API returns the resources as MK.IO documents it, with its own vocabulary per kind, its own filters per list and its own
// limits per project. Nothing is shared with the code that reads MK.IO: an error in a shared table would be an error on both
// sides and never found.
//
// It is rude where the documentation allows it ([Faults]): deliveries arrive late, twice, out of order or never; responses
// fail, break off, are stale, or come from a cache or a lagging replica. Its clock may be set, a second organisation may
// respond at the same address, a project may be recreated, and everything below a project may respond 404 for some time.
// It records every change ([MKIO.Changes]), how the change was delivered and whether a response showed it, so that a checker
// knows which changes a bridge must have found.
//
// One mutex guards all state, and a response is made while holding it: a page is consistent at the time of its Date header
// (except for the faults that are about just that). Slow responses and receivers of deliveries are waited for without it.
// Random numbers are drawn from streams numbered by request and by delivery, so that a seed reproduces the faults as far as
// requests arrive in the same order.
//
// Times are of three kinds: "wall" is what MK.IO's clock shows; "steady" is what it would show if it had never been set, and
// orders all changes (clock.go); "real" is the process's own clock.
//
// Requests may create streaming locators, list their paths, and start and stop streaming endpoints and live events
// (writes.go). What they ask for takes time ([Config.Settle]), as in MK.IO. Writes and changes are numbered together
// ([MKIO.Writes]), so that a test can judge whether a client acted too early.
//
// Not simulated: other requests that change resources, labels ($label is ignored), transforms and storage.
package mkiofake
