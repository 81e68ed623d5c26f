package rule

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
)

// A lastPut is what a bridge last put as the rule, as far as MK.IO does not show it. It is stored as JSON under rule.<project>.
type lastPut struct {
	Rule        string    `json:"rule"`   // the rule's id
	Salt        []byte    `json:"salt"`   // random, so that one secret has different hashes
	Hash        []byte    `json:"hash"`   // HMAC-SHA256 of the secret, with Salt as key
	Events      []string  `json:"events"` // the types that MK.IO accepted
	RequestedAt time.Time `json:"asked"`  // when all types were last requested
}

// retryRefusedAfter is the time after which types that MK.IO refused are requested again.
const retryRefusedAfter = 24 * time.Hour

func newLastPut(rule, secret string) lastPut {
	p := lastPut{Rule: rule, Salt: make([]byte, sha256.Size)}
	_, _ = rand.Read(p.Salt) // never fails
	p.Hash = p.hash(secret)
	return p
}

func (p lastPut) hash(secret string) []byte {
	h := hmac.New(sha256.New, p.Salt)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// isOf reports whether it is of the rule with an id.
func (p lastPut) isOf(id string) bool { return id != "" && p.Rule == id }

// hasSecret reports whether the rule was put with a secret.
func (p lastPut) hasSecret(secret string) bool {
	return len(p.Salt) > 0 && hmac.Equal(p.Hash, p.hash(secret))
}

func lastPutKey(project string) string { return "rule." + event.NameToken(project) }

// loadLastPut returns the stored lastPut. It is empty if there is none that can be parsed: then the rule is put once more.
func (r Reconciler) loadLastPut(ctx context.Context, project string) (lastPut, error) {
	var last lastPut
	if r.Notes == nil {
		return last, nil
	}
	entry, err := r.Notes.Get(ctx, lastPutKey(project))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return last, nil
	}
	if err != nil {
		return last, fmt.Errorf("read %s of bucket %s: %w", lastPutKey(project), r.Notes.Bucket(), err)
	}
	if json.Unmarshal(entry.Value(), &last) != nil {
		last = lastPut{}
	}
	return last, nil
}

// storeLastPut stores what was put, for the next comparison.
func (r Reconciler) storeLastPut(ctx context.Context, project string, last lastPut) error {
	if r.Notes == nil {
		return errors.New("the bucket does not exist yet")
	}
	value, err := json.Marshal(last)
	if err != nil {
		return err
	}
	if _, err := r.Notes.Put(ctx, lastPutKey(project), value); err != nil {
		return fmt.Errorf("write %s of bucket %s: %w", lastPutKey(project), r.Notes.Bucket(), err)
	}
	return nil
}
