package mkiofake

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
)

// newID returns a UUID from a random source, so that a seed reproduces the ids.
func newID(rng *rand.Rand) string {
	a, b := rng.Uint64(), rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// idOf returns a UUID derived from words: the same words give the same id in every process.
func idOf(words ...string) string {
	h := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return fmt.Sprintf("%x-%x-5%03x-8%03x-%x", h[:4], h[4:6], (int(h[6])<<8|int(h[7]))&0xfff, (int(h[8])<<8|int(h[9]))&0xfff, h[10:16])
}

// OrganizationID returns the id of an organisation.
func OrganizationID(name string) string { return idOf("organization", name) }
