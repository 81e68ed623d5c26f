package mkio

// The documented types of deliveries. A type is a hint: what counts is the source and the state, so a
// type that is not listed is taken like one that is.
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

// What a type begins with.
const (
	anyType             = "MediaKind."
	channelInstanceType = "MediaKind.ChannelInstance"
)

// Types returns every documented type of deliveries: what a webhook rule can ask for.
func Types() []string {
	return []string{
		TypeJobStarted, TypeJobFinished, TypeStreamingLocatorCreated,
		TypeChannelInstanceStarted, TypeChannelInstanceStopped, TypeChannelInstanceError,
		TypeScheduledOperationAccepted, TypeScheduledOperationOngoing,
		TypeScheduledOperationCompleted, TypeScheduledOperationError,
	}
}
