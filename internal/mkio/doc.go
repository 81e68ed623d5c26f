// Package mkio speaks MK.IO's tongue: it turns what MK.IO sends into observations of the lifecycle,
// and takes out of it what must not leave.
//
// # A delivery
//
// MK.IO tells a change of state as a CloudEvent in JSON: data.state is the state that was reached and
// data.resource the record, as a GET of the source would give it. [SplitBatch] takes an HTTP body
// apart and [Decoder.Read] reads one delivery of it; [Decoder.Decode] does both for a body of one. A body is checked
// once, and from then on is a value that is known to be JSON (value.go).
//
// Required is what makes a delivery a CloudEvent of MK.IO (version, type, data) and what identifies the resource and its
// state: without it the body is [lifecycle.ReasonMalformed]. All else is evidence. Where it cannot be read (a time
// that is none, another type, a text too long to be kept) it is as good as missing, for a change of state must not be lost
// for a hint: the time of the event is then that of the observation, and a delivery without an id has the digest of its
// body for one. So it is with records and with rows of the delivery history. A delivery of something this package has no name for, or of a project
// that is not configured, is [lifecycle.ReasonUnrecognised]. Both come as a [Rejection]. Types and
// states that nobody documented are news like any other: of the type only its first words count.
// What is plainly a time is read however it is written; without a zone it is UTC. Attributes are found by their exact name, and of two with one name the last counts.
//
// # Who is meant
//
// The source names the resource: relative or absolute, of any host (nothing is ever fetched from it),
// with or without its media or live segment, in today's form or the legacy one. One table, places,
// says where each kind lives; it is read forwards to parse a source and backwards to write the
// canonical path ([Path]). A ChannelInstance delivery may name none of the known kinds. It is then of
// kind channel-instance, whose path is a name and not an address.
//
// # What the record adds
//
// The delivery tells the transition, the record may be of a later moment. So the record's
// modification time and provisioning state count only where it shows the very state that was told;
// what does not change within a life (its id, its creation) always counts. A streaming locator's
// startTime and endTime are the window of playback and never read.
//
// # When an answer was taken
//
// Caches and replicas are between the bridge and MK.IO. [Moment] says when MK.IO took an answer, by its Date and Age and by
// MK.IO's clock (clock.go), and whether it is a stored copy. Errors have one as well: a cache keeps a 404 like any other answer.
//
// # Secrets
//
// Records carry ingest tokens, passphrases, keys, signed URLs and people's addresses. Whatever is taken
// from a record, but for correlation data ([CorrelationPolicy]), goes through the same rules: by the name of a
// member its whole value is hidden, in all other text what follows a host, a question mark or a secret's name, and every e-mail
// address. The rules err on the side of hiding. Redacting twice is redacting once, and a delivery that
// went through [RedactDelivery] still decodes to the same observation.
package mkio
