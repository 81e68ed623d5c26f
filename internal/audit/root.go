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

// A Root is a digest of a log up to one of its events. Its text is "<sequence>:<SHA-256 in hex>": the digest of a line
// "<resource> <transition> <hash of the payload>\n" for the last event of each resource, sorted by resource.
type Root struct {
	Sequence uint64
	Digest   string
}

func (r Root) String() string { return fmt.Sprintf("%d:%s", r.Sequence, r.Digest) }

// RootLabel precedes a root in the line that prints it.
const RootLabel = "root"

// ParseRoot parses a root, alone or in the line that prints it, which may follow other lines.
func ParseRoot(s string) (Root, error) {
	root := strings.TrimSpace(s)
	if words := strings.Fields(s); len(words) > 1 && words[len(words)-2] == RootLabel {
		root = words[len(words)-1]
	}
	number, digest, _ := strings.Cut(root, ":")
	sequence, err := strconv.ParseUint(number, 10, 64)
	if raw, hexErr := hex.DecodeString(digest); err != nil || hexErr != nil || len(raw) != sha256.Size {
		return Root{}, fmt.Errorf("%.128q is not a root: use <sequence>:<64 hex digits>, or in quotes the line that mkio-bridge verify printed", s)
	}
	return Root{sequence, strings.ToLower(digest)}, nil
}

// A link is the part of a resource's last event that the root covers.
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
	_ = w.Flush() // a digest returns no error
	return Root{sequence, hex.EncodeToString(digest.Sum(nil))}
}

func (c *Chain) links() map[string]link {
	links := make(map[string]link, len(c.heads))
	for resource, h := range c.heads {
		links[resource] = link{h.transition, h.hash}
	}
	return links
}

// A snapshot has the heads as of an event before the end of the log, for comparison with a stored root.
type snapshot struct {
	sequence uint64
	links    map[string]link // nil until that event was added
}

// SnapshotAt makes the chain take a snapshot at an event, for [Chain.SnapshotRoot]. It is called before the first Add.
func (c *Chain) SnapshotAt(sequence uint64) { c.snapshot = &snapshot{sequence: sequence} }

// take takes the snapshot before the first event after it is added.
func (p *snapshot) take(c *Chain, next uint64) {
	if p != nil && p.links == nil && next > p.sequence {
		p.links = c.links()
	}
}

// addTrimmed adds the predecessor of an event that was trimmed from the log: if the event is after the snapshot and the
// predecessor is not, the predecessor was its resource's head then.
func (p *snapshot) addTrimmed(resource string, d event.Data) {
	if p != nil && p.links != nil && d.Evidence.PreviousSequence <= p.sequence {
		p.links[resource] = link{d.Transition - 1, d.PreviousHash}
	}
}

// Root returns the root over all added events, and over the trimmed heads of resources without events in the log, by
// resource token.
func (c *Chain) Root(trimmed map[string]TrimmedHead) Root {
	links := c.links()
	for resource, l := range trimmed {
		if _, known := links[resource]; !known {
			links[resource] = link{l.Transition, l.Hash}
		}
	}
	return rootOf(c.last, links)
}

// SnapshotRoot returns the root as of the event of [Chain.SnapshotAt].
func (c *Chain) SnapshotRoot(trimmed map[string]TrimmedHead) Root {
	c.snapshot.take(c, c.snapshot.sequence+1)
	for resource, l := range trimmed {
		if _, known := c.snapshot.links[resource]; !known && l.Sequence <= c.snapshot.sequence {
			c.snapshot.links[resource] = link{l.Transition, l.Hash}
		}
	}
	return rootOf(c.snapshot.sequence, c.snapshot.links)
}

// A TrimmedHead is the last event of a resource whose events were all trimmed from the log.
type TrimmedHead struct {
	Sequence, Transition uint64
	Hash                 string
}
