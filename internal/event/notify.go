package event

// NotifyConsumerPrefix is what the names of the consumers of mkio-bridge notify begin with. The rest is the rule's name.
const NotifyConsumerPrefix = "notify-"

// Keys of the metadata of a rule's consumer, by which every bridge can show the rule.
const (
	NotifyFilter    = "mkio-notify-filter"     // the filter in words
	NotifyTarget    = "mkio-notify-target"     // the name of the target
	NotifyError     = "mkio-notify-error"      // why the last try failed; absent after a message was sent
	NotifyErrorTime = "mkio-notify-error-time" // when it did, RFC 3339
)
