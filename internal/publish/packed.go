package publish

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A packed is a head in as few bytes as possible, and without a pointer in it: there may be a million of them, and the
// garbage collector need not look inside. The empty packed is a head without an event.
type packed string

// hashSize is how many bytes a SHA-256 has.
const hashSize = 32

// pack encodes a head that has an event.
func pack(at head) packed {
	var room [512]byte
	f := at.fact
	b := binary.AppendUvarint(room[:0], f.Sequence)
	b = binary.AppendUvarint(b, f.Transition)
	b = binary.AppendUvarint(b, at.expect)
	for _, t := range [...]time.Time{f.At, f.Modified, f.SeenAfter, f.SeenBefore, at.flappedAt} {
		b = appendTime(b, t)
	}
	for _, s := range [...]string{f.State, f.Provisioning, f.Life, f.Delivery} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	var digest [hashSize]byte
	if len(f.Hash) == hex.EncodedLen(hashSize) && strings.ToLower(f.Hash) == f.Hash {
		if _, err := hex.Decode(digest[:], []byte(f.Hash)); err == nil {
			return packed(append(b, digest[:]...))
		}
	}
	return packed(append(append(b, f.Hash...), make([]byte, hashSize+1)...)) // so that it is longer than a digest
}

// appendTime writes a time of any year; 0 stands for none.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 1), t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond())) //nolint:gosec // it is from 0 to 999,999,999
}

// sequence is that of the fact; 0 where there is none.
func (p packed) sequence() uint64 {
	r := unpacking(p)
	return r.number()
}

// head decodes what was packed.
func (p packed) head() head {
	if p == "" {
		return head{}
	}
	var f lifecycle.Fact
	expect, again, hash := p.read(&f)
	if len(hash) == hashSize {
		var digits [2 * hashSize]byte
		hex.Encode(digits[:], []byte(hash))
		f.Hash = string(digits[:])
	} else {
		f.Hash = string(hash[:len(hash)-hashSize-1])
	}
	return head{fact: &f, expect: expect, flappedAt: again}
}

// read decodes all but the hash into f, and returns the hash as it is packed: a digest, or longer than one if it is no SHA-256.
func (p packed) read(f *lifecycle.Fact) (expect uint64, again time.Time, hash unpacking) {
	r := unpacking(p)
	f.Sequence, f.Transition, expect = r.number(), r.number(), r.number()
	f.At, f.Modified, f.SeenAfter, f.SeenBefore, again = r.time(), r.time(), r.time(), r.time(), r.time()
	f.State, f.Provisioning, f.Life, f.Delivery = r.text(), r.text(), r.text(), r.text()
	return expect, again, r
}

// unpacking is what is still to be read.
type unpacking string

func (r *unpacking) number() uint64 {
	var n uint64
	for i, shift := 0, 0; i < len(*r); i, shift = i+1, shift+7 {
		c := (*r)[i]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			*r = (*r)[i+1:]
			break
		}
	}
	return n
}

func (r *unpacking) time() time.Time {
	if r.number() == 0 {
		return time.Time{}
	}
	zigzag := r.number()
	seconds := int64(zigzag>>1) ^ -int64(zigzag&1)     // as [binary.AppendVarint] writes it
	return time.Unix(seconds, int64(r.number())).UTC() //nolint:gosec // from 0 to 999,999,999
}

func (r *unpacking) text() string {
	size := r.number()
	s := string((*r)[:size])
	*r = (*r)[size:]
	return s
}
