package mkio

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// TokenSoon is how long before its end a token is said to end soon: to get another takes a person.
const TokenSoon = 7 * 24 * time.Hour

// TokenExpiry reads from a token when it ends. It is not verified: MK.IO does that. ok is false for a token
// that does not say.
func TokenExpiry(token string) (end time.Time, ok bool) {
	var claims struct {
		Expiry float64 `json:"exp"` // seconds since 1970
	}
	if json.Unmarshal(claimsOf(token), &claims) != nil || claims.Expiry <= 0 || claims.Expiry > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Expiry), 0).UTC(), true
}

// organisationClaims are the names under which a token may tell its organisation, the first that it has counts. MK.IO
// documents that a token holds it, and not where; the record of a token spells it as the first.
var organisationClaims = []string{"organizationId", "organisationId", "organization_id", "organisation_id", "orgId", "org_id"}

// TokenOrganisation reads from a token of which organisation it is; "" for a token that does not say. It is not verified:
// MK.IO does that.
func TokenOrganisation(token string) string {
	var claims map[string]json.RawMessage
	if json.Unmarshal(claimsOf(token), &claims) != nil {
		return ""
	}
	for _, name := range organisationClaims {
		var organisation string
		if json.Unmarshal(claims[name], &organisation) == nil && organisation != "" {
			return organisation
		}
	}
	return ""
}

// claimsOf returns a token's claims as JSON; nil for one that is no JWT.
func claimsOf(token string) []byte {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	return payload
}
