package audit

import (
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// A Mark says how an event continues the event of its resource before it.
type Mark string

// The marks.
const (
	MarkOK     Mark = "ok"     // it continues the one before: hash, transition and state
	MarkFirst  Mark = "first"  // the log has none before it to compare it with
	MarkBroken Mark = "broken" // it, or how it continues the one before, is not what a bridge writes
)

// A Link is how an event continues the one before.
type Link struct {
	Mark   Mark
	Reason string // why it is broken, in words; else ""
}

// Links checks successive events of one resource as [Verify] does. before is the event before the first of them; nil if the log has
// none. first is the sequence of the log's first event.
func Links(names event.Names, first uint64, before *eventlog.Raw, events []eventlog.Raw) []Link {
	chain := NewChain(names, first)
	if before != nil {
		if e, err := before.Decode(); err == nil {
			chain.addLink(e) // what is wrong with it is the matter of its own link
		}
	}
	links := make([]Link, len(events))
	for i, raw := range events {
		links[i] = chain.linkOf(raw)
	}
	return links
}

// linkOf adds an event, and returns its link.
func (c *Chain) linkOf(raw eventlog.Raw) Link {
	mark := MarkOK
	if c.Resources() == 0 {
		mark = MarkFirst
	}
	e, err := raw.Decode()
	if err != nil {
		return Link{MarkBroken, "cannot be decoded: " + err.Error()}
	}
	if wrong := c.addLink(e); len(wrong) > 0 {
		return Link{MarkBroken, strings.Join(wrong, "; ")}
	}
	return Link{Mark: mark}
}
