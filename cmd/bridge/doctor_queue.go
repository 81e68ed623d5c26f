package main

import (
	"fmt"
	"time"
)

// slowAnswer is how long JetStream's API takes for an answer when its queue is full of other requests.
const slowAnswer = time.Second

// The oldest NATS server that has a queue of its own for requests that only inform.
const infoQueueMinor = 14

// queueAdvice bounds that queue as the embedded server does.
const queueAdvice = "set info_queue_limit: 256 in the jetstream block of the servers' configuration"

// checkQueue says what can be known of the queue of JetStream's API, which readers can fill. A server tells no client how
// long its queue may get; its version tells whether the queue can be bounded, and a late answer that it is long now.
func (d *doctor) checkQueue(version string, took time.Duration) {
	const check = "JetStream API queue"
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	old := err == nil && (major < natsMajor || major == natsMajor && minor < infoQueueMinor)
	switch {
	case took >= slowAnswer:
		d.warn(check, fmt.Sprintf("an answer took %s: it is long, and no info_queue_limit that holds is set", took.Round(time.Millisecond)), queueAdvice+", and see who asks so much")
	case old:
		d.warn(check, fmt.Sprintf("server %s has one queue for questions and for all else, and no info_queue_limit: a burst of questions of one reader holds up the commands and what asks for streams", version),
			fmt.Sprintf("update it to %d.%d or newer, and %s", natsMajor, infoQueueMinor, queueAdvice))
	default:
		d.say(finding{check, gradeOK, fmt.Sprintf("an answer took %s; whether info_queue_limit is set a server does not tell, and without it 10,000 questions of a reader wait before yours", took.Round(time.Millisecond)), queueAdvice})
	}
}
