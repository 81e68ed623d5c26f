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

// A note is what was last put, as far as MK.IO does not show it.
type note struct {
	Rule   string    `json:"rule"`   // its id
	Salt   []byte    `json:"salt"`   // so that the same secret has another hash elsewhere
	Hash   []byte    `json:"hash"`   // HMAC-SHA256 of the secret, keyed by the salt
	Events []string  `json:"events"` // the types that MK.IO accepted
	Asked  time.Time `json:"asked"`  // when all types were last asked for
}

// fullAgain is how long refused types are not asked for again.
const fullAgain = 24 * time.Hour

func newNote(rule, secret string) note {
	n := note{Rule: rule, Salt: make([]byte, sha256.Size)}
	_, _ = rand.Read(n.Salt) // it never fails
	n.Hash = n.hash(secret)
	return n
}

func (n note) hash(secret string) []byte {
	h := hmac.New(sha256.New, n.Salt)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// of says whether the bridge put the rule of an id.
func (n note) of(id string) bool { return id != "" && n.Rule == id }

// has says whether a secret is what was last put.
func (n note) has(secret string) bool { return len(n.Salt) > 0 && hmac.Equal(n.Hash, n.hash(secret)) }

func noteKey(project string) string { return "rule." + event.NameToken(project) }

// readNote returns an empty note where there is none that can be read: then the rule is put once more.
func (k Reconciler) readNote(ctx context.Context, project string) (note, error) {
	var n note
	if k.Notes == nil {
		return n, nil
	}
	entry, err := k.Notes.Get(ctx, noteKey(project))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return n, nil
	}
	if err != nil {
		return n, fmt.Errorf("read %s of bucket %s: %w", noteKey(project), k.Notes.Bucket(), err)
	}
	if wrong := json.Unmarshal(entry.Value(), &n); wrong != nil {
		n = note{}
	}
	return n, nil
}

func (k Reconciler) writeNote(ctx context.Context, project string, n note) error {
	if k.Notes == nil {
		return errors.New("there is no bucket of notes yet")
	}
	value, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if _, err := k.Notes.Put(ctx, noteKey(project), value); err != nil {
		return fmt.Errorf("write %s of bucket %s: %w", noteKey(project), k.Notes.Bucket(), err)
	}
	return nil
}
