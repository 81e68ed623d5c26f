package audit

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mkio-bridge/internal/event"
)

// A Root stands for a log up to one of its events. It is written "<sequence>:<SHA-256 in hex>": the digest of a line
// "<resource> <transition> <hash of the payload>\n" for the last event of each resource, sorted by resource.
type Root struct {
	Sequence uint64
	Digest   string
}

func (r Root) String() string { return fmt.Sprintf("%d:%s", r.Sequence, r.Digest) }

// RootLabel stands before a root in the line that shows it.
const RootLabel = "root"

// ParseRoot reads a root, also with the line, or at the end of the lines, that show it.
func ParseRoot(s string) (Root, error) {
	root := strings.TrimSpace(s)
	if words := strings.Fields(s); len(words) > 1 && words[len(words)-2] == RootLabel {
		root = words[len(words)-1]
	}
	number, digest, _ := strings.Cut(root, ":")
	sequence, err := strconv.ParseUint(number, 10, 64)
	if raw, hexErr := hex.DecodeString(digest); err != nil || hexErr != nil || len(raw) != sha256.Size {
		return Root{}, fmt.Errorf("%q is no root: give <sequence>:<64 hex digits>, or in quotes the line in which bridge verify prints it", s)
	}
	return Root{sequence, strings.ToLower(digest)}, nil
}

// A link is a resource's event as a root has it.
type link struct {
	transition uint64
	hash       string
}

func rootOf(sequence uint64, links map[string]link) Root {
	digest := sha256.New()
	w := bufio.NewWriter(digest)
	for _, resource := range slices.Sorted(maps.Keys(links)) {
		l := links[resource]
		fmt.Fprintf(w, "%s %d %s\n", resource, l.transition, l.hash)
	}
	_ = w.Flush() // a digest takes everything
	return Root{sequence, hex.EncodeToString(digest.Sum(nil))}
}

func (c *Chain) links() map[string]link {
	links := make(map[string]link, len(c.heads))
	for resource, h := range c.heads {
		links[resource] = link{h.transition, h.hash}
	}
	return links
}

// A past is the heads as they were at an earlier event, of which somebody kept the root.
type past struct {
	at    uint64
	links map[string]link // nil: the event was not reached yet
}

// Recall has the chain remember how everything was at an earlier event, for [Chain.Then]. It is called before the first Add.
func (c *Chain) Recall(sequence uint64) { c.past = &past{at: sequence} }

// reach notes how everything is before an event is taken that comes behind the one that is asked for.
func (p *past) reach(c *Chain, next uint64) {
	if p != nil && p.links == nil && next > p.at {
		p.links = c.links()
	}
}

// trimmed notes what an event tells of the one before it, which has left the log: where it came behind the moment that is asked for, that was
// the last of its resource then.
func (p *past) trimmed(resource string, d event.Data) {
	if p != nil && p.links != nil && d.Evidence.PreviousSequence <= p.at {
		p.links[resource] = link{d.Transition - 1, d.PreviousHash}
	}
}

// Root is the root over all that was taken, and over the last events of resources that have left the log, by resource
// token, where it has forgotten some.
func (c *Chain) Root(left map[string]Left) Root {
	links := c.links()
	for resource, l := range left {
		if _, known := links[resource]; !known {
			links[resource] = link{l.Transition, l.Hash}
		}
	}
	return rootOf(c.last, links)
}

// Then is the root as it was at the event that [Chain.Recall] named.
func (c *Chain) Then(left map[string]Left) Root {
	c.past.reach(c, c.past.at+1)
	for resource, l := range left {
		if _, known := c.past.links[resource]; !known && l.Sequence <= c.past.at {
			c.past.links[resource] = link{l.Transition, l.Hash}
		}
	}
	return rootOf(c.past.at, c.past.links)
}

// A Left is the last event of a resource that the log has no events of any more.
type Left struct {
	Sequence, Transition uint64
	Hash                 string
}
