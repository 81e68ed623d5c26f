package notify

import (
	"context"
	"encoding/json"
	"time"
)

// A Letter is the dead letter of a message: its event, and why it was given up.
type Letter struct {
	Number   uint64          `json:"number"` // by which it is retried: the sequence in the stream, or the line in the file
	Time     time.Time       `json:"time"`
	Rule     string          `json:"rule"`
	ID       string          `json:"id"`              // of the event; of a group the newest
	Subject  string          `json:"subject"`         // of the event in the log
	Sequence uint64          `json:"sequence"`        // … and its sequence
	First    uint64          `json:"first"`           // sequence of the oldest event of a group
	Count    int             `json:"count"`           // how many events the message stood for
	Tries    int             `json:"tries"`           // 0: the message could not be made
	Reason   string          `json:"reason"`          //
	Event    json.RawMessage `json:"event,omitempty"` // absent if it is too large for NATS with its headers
}

// DeadLetters stores dead letters. When Store returns nil the letter survives a crash. The same letter may be stored again.
type DeadLetters interface {
	Store(ctx context.Context, l Letter) error
	// List returns the letters, oldest first.
	List(ctx context.Context) ([]Letter, error)
	// Delete removes the letter with a number.
	Delete(ctx context.Context, number uint64) error
	// Count returns how many letters there are.
	Count(ctx context.Context) (int, error)
	// String says where the letters are.
	String() string
}
