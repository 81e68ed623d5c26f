package mkio

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// TokenExpiry reads from a token when it ends. It is not verified: MK.IO does that. ok is false for a token
// that does not say.
func TokenExpiry(token string) (end time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Expiry float64 `json:"exp"` // seconds since 1970
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expiry <= 0 || claims.Expiry > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Expiry), 0).UTC(), true
}
