package mkio

// The documented types of deliveries. A type is a hint: source and state count, so undocumented types are accepted too.
const (
	TypeJobStarted                  = "MediaKind.JobStarted"
	TypeJobFinished                 = "MediaKind.JobFinished"
	TypeStreamingLocatorCreated     = "MediaKind.StreamingLocatorCreated"
	TypeChannelInstanceStarted      = "MediaKind.ChannelInstanceStarted"
	TypeChannelInstanceStopped      = "MediaKind.ChannelInstanceStopped"
	TypeChannelInstanceError        = "MediaKind.ChannelInstanceError"
	TypeScheduledOperationAccepted  = "MediaKind.ScheduledOperationAccepted"
	TypeScheduledOperationOngoing   = "MediaKind.ScheduledOperationOngoing"
	TypeScheduledOperationCompleted = "MediaKind.ScheduledOperationCompleted"
	TypeScheduledOperationError     = "MediaKind.ScheduledOperationError"
)

// Prefixes of types.
const (
	typePrefix            = "MediaKind."
	channelInstancePrefix = "MediaKind.ChannelInstance"
)

// Types returns every documented type of deliveries, which are those that a webhook rule can select.
func Types() []string {
	return []string{
		TypeJobStarted, TypeJobFinished, TypeStreamingLocatorCreated,
		TypeChannelInstanceStarted, TypeChannelInstanceStopped, TypeChannelInstanceError,
		TypeScheduledOperationAccepted, TypeScheduledOperationOngoing,
		TypeScheduledOperationCompleted, TypeScheduledOperationError,
	}
}
