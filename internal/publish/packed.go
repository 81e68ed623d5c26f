package publish

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A packed is a head encoded in few bytes and without pointers: there may be a million of them, and the
// garbage collector need not scan them. The empty packed is a head without an event.
type packed string

// hashSize is the size of a SHA-256, in bytes.
const hashSize = 32

// pack encodes a head that has an event.
func pack(at head) packed {
	var buffer [512]byte
	f := at.fact
	b := binary.AppendUvarint(buffer[:0], f.Sequence)
	b = binary.AppendUvarint(b, f.Transition)
	b = binary.AppendUvarint(b, at.expect)
	for _, t := range [...]time.Time{f.At, f.Modified, f.SeenAfter, f.SeenBefore, at.flappedAt} {
		b = appendTime(b, t)
	}
	b = append(appendMilliseconds(b, f.Recorded), indexOf(f.Via))
	for _, s := range [...]string{f.State, f.Provisioning, f.Life, f.Delivery, string(f.Stays)} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	var digest [hashSize]byte
	if len(f.Hash) == hex.EncodedLen(hashSize) && strings.ToLower(f.Hash) == f.Hash {
		if _, err := hex.Decode(digest[:], []byte(f.Hash)); err == nil {
			return packed(append(b, digest[:]...))
		}
	}
	return packed(append(append(b, f.Hash...), make([]byte, hashSize+1)...)) // longer than a digest, so that read can distinguish them
}

// appendTime encodes a time of any year; the zero time is encoded as 0.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 1), t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond())) //nolint:gosec // it is from 0 to 999,999,999
}

// appendMilliseconds encodes a time since 1970 without fractions of a millisecond: less than half as long as [appendTime]. The
// zero time is encoded as 0.
func appendMilliseconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(max(t.UnixMilli(), 0)))
}

// vias are the sources of an event by the byte that stands for each.
var vias = [...]lifecycle.Via{"", lifecycle.Webhook, lifecycle.Poll, lifecycle.History}

func indexOf(via lifecycle.Via) byte { return byte(max(slices.Index(vias[:], via), 0)) } //nolint:gosec // there are four

// sequence returns the sequence of the event; 0 if there is none.
func (p packed) sequence() uint64 {
	r := unpacker(p)
	return r.number()
}

// stays returns the stays of the event's resource; "" if there is no event.
func (p packed) stays() lifecycle.Stays {
	var f lifecycle.Fact
	if p != "" {
		p.read(&f)
	}
	return f.Stays
}

// head decodes the head.
func (p packed) head() head {
	if p == "" {
		return head{}
	}
	var f lifecycle.Fact
	expect, flappedAt, hash := p.read(&f)
	if len(hash) == hashSize {
		var digits [2 * hashSize]byte
		hex.Encode(digits[:], []byte(hash))
		f.Hash = string(digits[:])
	} else {
		f.Hash = string(hash[:len(hash)-hashSize-1])
	}
	return head{fact: &f, expect: expect, flappedAt: flappedAt}
}

// read decodes all but the hash into f, and returns the hash as it is packed: a digest, or longer than one if it is no
// SHA-256.
func (p packed) read(f *lifecycle.Fact) (expect uint64, flappedAt time.Time, hash unpacker) {
	r := unpacker(p)
	f.Sequence, f.Transition, expect = r.number(), r.number(), r.number()
	f.At, f.Modified, f.SeenAfter, f.SeenBefore, flappedAt = r.time(), r.time(), r.time(), r.time(), r.time()
	f.Recorded, f.Via = r.milliseconds(), vias[r.number()]
	f.State, f.Provisioning, f.Life, f.Delivery = r.text(), r.text(), r.text(), r.text()
	f.Stays = lifecycle.Stays(r.text())
	return expect, flappedAt, r
}

// An unpacker is the rest of a packed that is still to be decoded.
type unpacker string

func (r *unpacker) number() uint64 {
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

func (r *unpacker) time() time.Time {
	if r.number() == 0 {
		return time.Time{}
	}
	zigzag := r.number()
	seconds := int64(zigzag>>1) ^ -int64(zigzag&1)     // as [binary.AppendVarint] writes it
	return time.Unix(seconds, int64(r.number())).UTC() //nolint:gosec // from 0 to 999,999,999
}

func (r *unpacker) milliseconds() time.Time {
	ms := r.number()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC() //nolint:gosec // as [appendMilliseconds] writes it
}

func (r *unpacker) text() string {
	size := r.number()
	s := string((*r)[:size])
	*r = (*r)[size:]
	return s
}
