package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers and formats of Standard Webhooks (https://www.standardwebhooks.com), version 1.0.0, symmetric signatures.
const (
	headerWebhookID        = "Webhook-Id"
	headerWebhookTimestamp = "Webhook-Timestamp"
	headerWebhookSignature = "Webhook-Signature"

	signingKeyPrefix = "whsec_"
	minSigningKey    = 24 // bytes
	maxSigningKey    = 64
)

// A signingKey is the key of HMAC-SHA256.
type signingKey []byte

// parseSigningKeys parses keys that are separated by white space. There are several while one replaces another.
func parseSigningKeys(text string) (keys []signingKey, err error) {
	for field := range strings.FieldsSeq(text) {
		encoded, ok := strings.CutPrefix(field, signingKeyPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil { // err would contain a part of the key
			return nil, errors.New("a signing key is not " + signingKeyPrefix + " and base64: create one with: echo " + signingKeyPrefix + "$(openssl rand -base64 32)")
		}
		if len(key) < minSigningKey || len(key) > maxSigningKey {
			return nil, fmt.Errorf("a signing key has %d bytes, and must have %d to %d", len(key), minSigningKey, maxSigningKey)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sign adds the signature's headers: one signature for each key. The timestamp is that of this try.
func sign(h http.Header, keys []signingKey, id string, now time.Time, body []byte) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, 0, len(keys))
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set(headerWebhookID, id)
	h.Set(headerWebhookTimestamp, timestamp)
	h.Set(headerWebhookSignature, strings.Join(signatures, " "))
}
