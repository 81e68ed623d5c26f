// Package mkio is the bridge's client of MK.IO: it decodes webhook deliveries and API responses into observations of the
// lifecycle (lifecycle.Observation), and redacts the secrets in them.
//
// # Deliveries (webhook.go, envelope.go)
//
// MK.IO reports a change of state as a CloudEvent in JSON: data.state is the new state, and data.resource is the record as a
// GET of the source would return it. [SplitBatch] splits an HTTP body into deliveries and [Decoder.Read] reads one of them;
// [Decoder.Decode] does both for a body of one. A body is validated once and is a value from then on: bytes that are known
// to be valid JSON (value.go, strict.go).
//
// Required are the attributes that make a delivery a CloudEvent of MK.IO (version, type, data) and those that identify the
// resource and its state. Without them the body is [lifecycle.ReasonMalformed]. Everything else is evidence: where it cannot
// be read (an invalid time, another JSON type, a text over the limit), it is treated as missing, because a change of state
// must not be lost for a hint. The time of the event is then that of the observation, and a delivery without an id gets the
// digest of its body as its id. The same holds for records and for rows of the delivery history. A delivery of an unknown
// kind of resource, or of a project that is not configured, is [lifecycle.ReasonUnrecognised]. Both errors are a
// [Rejection]. Undocumented types and states are accepted: of the type only the prefix counts. A time is read in any common
// spelling; without a zone it is UTC (time.go). Attribute names are case-sensitive, and of duplicate names the last counts.
//
// # Resource paths (source.go, location.go)
//
// The source names the resource: relative or absolute, of any host (it is never fetched), with or without the media or live
// segment, in today's form or the legacy one. One table, locations, has the path of each kind; it is used to parse a source
// and to build the canonical path ([Path]). A ChannelInstance delivery may name none of the known kinds. It is then of kind
// channel-instance, whose path is a name and not an address.
//
// # Records (record.go, row.go)
//
// The delivery reports the transition; its record may be newer. So the record's modification time and provisioning state
// count only if the record shows the state that the delivery reports. What does not change within a life (its id, its
// creation) always counts. A streaming locator's startTime and endTime are its playback window and are not used.
//
// # The API client (client.go, list.go, pages.go, rules.go, deliveries.go)
//
// A [Client] sends requests within a project's [Budget] (budget.go) and retries transient failures. [Pages] walks a list
// page by page. Rules are MK.IO's webhook rules, deliveries their delivery history. outage.go logs and measures how long
// MK.IO has not responded; transport.go replaces connections that have gone dead.
//
// # The time of a response (clock.go)
//
// Caches and replicas stand between the bridge and MK.IO. [AsOf] is the time at which a response was current, by its Date and
// Age and by MK.IO's clock, and says whether it is a stored copy. Errors have one as well, because caches store a 404 too.
//
// # Secrets (redact.go, secret.go, secret_name.go)
//
// Records carry ingest tokens, passphrases, keys, signed URLs and e-mail addresses. Everything that is taken from a record,
// except correlation data ([CorrelationPolicy]), is redacted by the same rules: the whole value of a member whose name is
// that of a secret, and in all other text the part after a host, a question mark or a secret's name, and every e-mail
// address. In doubt the rules redact. Redacting is idempotent, and a redacted delivery ([RedactDelivery]) still decodes to
// the same observation.
package mkio
