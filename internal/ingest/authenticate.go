package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// authenticated reports whether a request carries one of the secrets, in any of the three forms that an MK.IO webhook rule
// or a CloudEvents sender can use. It runs in constant time: every offered secret is compared with every configured one, and
// digests of equal length are compared so that the length of a secret does not show.
func authenticated(r *http.Request, secrets []string) bool {
	if len(secrets) == 0 {
		return true
	}
	match := 0
	for _, offered := range credentials(r) {
		g := sha256.Sum256([]byte(offered))
		for _, secret := range secrets {
			s := sha256.Sum256([]byte(secret))
			match |= subtle.ConstantTimeCompare(g[:], s[:])
		}
	}
	return match == 1
}

// credentials returns the values that a request offers as secrets.
func credentials(r *http.Request) []string {
	offered := r.Header.Values("X-Webhook-Secret")
	for _, value := range r.Header.Values("Authorization") {
		if scheme, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			offered = append(offered, strings.TrimSpace(token))
		}
	}
	if r.URL.RawQuery == "" {
		return offered
	}
	return append(offered, r.URL.Query()["access_token"]...)
}
